/**
 * The parameters that the gradients of a step are computed at: those of the learner, or copies of them that are rounded to bfloat16, which
 * travel in half the bytes. The learner keeps its own in f32, and updates these.
 */
import { releaseParameters } from "@speedq/exports"
import { cast, noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import { isOfGrid } from "./learnedGrids.ts"
import type { OptimizationConfig } from "./TrainingConfig.ts"

export type ParameterFormat = OptimizationConfig["shardParameters"]

/** Whether a parameter is rounded. Factors and shifts of grids are few, and move by less than bfloat16 can tell apart. */
export const isRounded = (name: string, format: ParameterFormat): boolean => format === "bf16" && !isOfGrid(name)

/** The nearest bfloat16, ties to even, as f32: [...] -> [...], whoever computes it. */
const rounded = (tensor: Tensor): Tensor => scope(() => cast(cast(tensor, "bf16"), "f32"))

/** Parameters for one step; whoever has them gives them back with `release`. */
interface StepParameters {
  readonly parameters: Parameters
  readonly release: () => void
}

/** Parameters that are not rounded are those of the learner, and stay its own. */
export const stepParameters = (parameters: Parameters, format: ParameterFormat): StepParameters => {
  const chosen = Object.entries(parameters).filter(([name]) => isRounded(name, format))
  const copies = noGrad(() => scope(() => Object.fromEntries(chosen.map(([name, tensor]) => [name, rounded(tensor)]))))
  return { parameters: { ...parameters, ...copies }, release: () => releaseParameters(copies) }
}
