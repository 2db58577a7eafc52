/**
 * Learned grids (docs/method.md, "Learned grids"): beside the weight w [N, K] of a fake-quantized Linear a factor f of its scales and a
 * shift d of its zero points [N, K / g] are trained, from 1 and 0 on. In every step
 *
 *   s = f s(w),  z = z(w) + d                              s(w), z(w): what the range of the weight gives, without a gradient
 *   w' = s' (clamp(rne(w / s' + z'), 0, 2^b - 1) - z')     s', z': the nearest of s and z that can be stored
 */
import { releasePacked } from "@speedq/exports"
import { parameterOf } from "@speedq/formats"
import {
  type LearnedGrid,
  learnedGrid,
  type PackedWeight,
  type PackedWeights,
  packWeight,
  type QuantizerChoice,
  quantizedOnGrid,
  storedOnGrid
} from "@speedq/quantizers"
import {
  add,
  type Backend,
  multiply,
  noGrad,
  type Parameters,
  type Shape,
  scope,
  sizeOf,
  type Tensor,
  tensor,
  zeros
} from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { RulesInvalid } from "../Errors.ts"
import { quantizing } from "../model/plannedLayers.ts"
import { refuseSearches } from "./refuseSearches.ts"
import type { TrainingOptions } from "./TrainingMethod.ts"

/** Grids that are learned, by layer. */
export type LearnedGrids = ReadonlyMap<string, LearnedGrid>

/** What is trained of a grid: a factor of the scales, and where zero points are stored a shift of them, in codes. */
interface TrainedGrid {
  readonly factor: Tensor
  readonly shift?: Tensor | undefined
}

const factorSuffix = ".scaleFactor"
const shiftSuffix = ".zeroShift"

/** Whether a trained parameter belongs to a grid; no parameter of a model is named so. */
export const isOfGrid = (name: string): boolean => name.endsWith(factorSuffix) || name.endsWith(shiftSuffix)

/** Parameters without those of grids. */
export const withoutGrids = (parameters: Parameters): Parameters =>
  Object.fromEntries(Object.entries(parameters).filter(([name]) => !isOfGrid(name)))

/** Fails with RulesInvalid where a rate is given for grids that are not learned. */
export const requireGridRate = ({ grids, gridRate }: TrainingOptions): Effect.Effect<void, RulesInvalid> => {
  if (gridRate === undefined || grids === "learned") return Effect.void
  const reason = `gridRate is ${gridRate}, but grids follow the weights: nothing is trained at that rate. Set grids to "learned", or leave gridRate out`
  return Effect.fail(new RulesInvalid({ reason }))
}

/** The grids of quantized layers. Fails with RulesInvalid, before any work, which names the first layer whose grid cannot be learned. */
export const requireLearnedGrids = (
  choices: ReadonlyMap<string, QuantizerChoice>
): Effect.Effect<LearnedGrids, RulesInvalid> => {
  const found = [...quantizing(choices)].map(([layer, choice]) => ({ layer, choice, grid: learnedGrid(choice) }))
  const without = found.filter(({ grid }) => grid === undefined)
  const [first] = without
  if (first === undefined) return Effect.succeed(new Map(found.map(({ layer, grid }) => [layer, grid!] as const)))
  const { layer, choice } = first
  const reason = `grids is "learned", but the quantizers of ${without.length} layers have no scales and zero points that can be learned, the first of them ${layer} ("${choice.quantizer.id}"). Give these layers bilevel or uniform, bilevel with the arithmetic f32; or leave grids out`
  return Effect.fail(new RulesInvalid({ reason }))
}

/** The same where weights are quantized in every step. Fails with RulesInvalid for ranges that are searched for, too. */
export const requireTrainedGrids = (
  choices: ReadonlyMap<string, QuantizerChoice>
): Effect.Effect<LearnedGrids, RulesInvalid> => Effect.andThen(refuseSearches(choices), requireLearnedGrids(choices))

/** Shape of the numbers of a weight's groups. */
const groupsOf = ([rows, columns]: Shape, { group }: LearnedGrid): Shape => [rows!, columns! / group]

/** Shapes of what is trained of the grid of a weight of this shape. */
export const trainedShapes = (shape: Shape, grid: LearnedGrid): readonly Shape[] =>
  Array.from({ length: grid.hasZero ? 2 : 1 }, () => groupsOf(shape, grid))

/** Numbers that are trained of it. */
export const trainedNumbers = (shape: Shape, grid: LearnedGrid): number =>
  trainedShapes(shape, grid).reduce((sum, each) => sum + sizeOf(each), 0)

/** What is trained of the grid of a weight of this shape, before the first step; new tensors in the caller's scope. */
export const initialGrid = (backend: Backend, shape: Shape, grid: LearnedGrid): TrainedGrid => {
  const [rows, groups] = groupsOf(shape, grid) as readonly [number, number]
  return {
    factor: tensor(backend, new Float32Array(rows * groups).fill(1), [rows, groups]),
    ...(grid.hasZero ? { shift: zeros(backend, [rows, groups]) } : {})
  }
}

/** The same of all layers, by the names of parameters. */
export const initialGrids = (grids: LearnedGrids, weights: Parameters): Parameters =>
  Object.fromEntries(
    [...grids].flatMap(([layer, grid]) => {
      const { backend, shape } = weights[parameterOf(layer)]!
      const { factor, shift } = initialGrid(backend, shape, grid)
      return [
        [`${layer}${factorSuffix}`, factor] as const,
        ...(shift === undefined ? [] : [[`${layer}${shiftSuffix}`, shift] as const])
      ]
    })
  )

/** Scales and zero points [N, K / g], differentiable by what is trained of them. */
const movedGrid = (grid: LearnedGrid, weight: Tensor, { factor, shift }: TrainedGrid) => {
  const { scale, zero } = noGrad(() => grid.range(weight))
  return { weight, scale: multiply(scale, factor), zero: shift === undefined ? zero : add(zero, shift) }
}

/** The quantized weight [N, K], differentiable by the weight and what is trained of its grid. */
export const weightOnGrid = (grid: LearnedGrid, weight: Tensor, trained: TrainedGrid): Tensor =>
  scope(() => quantizedOnGrid(grid, movedGrid(grid, weight, trained)))

/** What is trained of a layer's grid, among all that is trained. */
export const gridOf = (layer: string, parameters: Parameters): TrainedGrid => ({
  factor: parameters[`${layer}${factorSuffix}`]!,
  shift: parameters[`${layer}${shiftSuffix}`]
})

/** Weights as training left them, on the grids that it left, packed. Raises ScaleNotFinite; nothing stays allocated then. */
export const packLearned = async (
  grids: LearnedGrids,
  choices: ReadonlyMap<string, QuantizerChoice>,
  parameters: Parameters
): Promise<PackedWeights> => {
  const packed = new Map<string, PackedWeight>()
  try {
    for (const [layer, grid] of grids) {
      const weight = parameters[parameterOf(layer)]!
      const moved = () => movedGrid(grid, weight, gridOf(layer, parameters))
      const stored = noGrad(() => scope(() => storedOnGrid(grid, moved())))
      try {
        packed.set(layer, await packWeight(layer, choices.get(layer)!, weight.shape, stored))
      } finally {
        for (const each of Object.values<Tensor>(stored)) each.release()
      }
    }
    return packed
  } catch (error) {
    releasePacked(packed)
    throw error
  }
}
