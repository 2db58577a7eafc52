/**
 * A quantized weight as a function of what Block-AP trains of it (arXiv:2407.11062; docs/method.md, "Block-AP"): the weight itself and,
 * where grids are learned, scale and zero point of every group (learnedGrid of quantizers). Otherwise scales follow the weight by its
 * quantizer's fake quantization.
 */
import {
  hasFreeScales,
  type LearnedGrid,
  learnedGrid,
  type QuantizedWeight,
  type QuantizerChoice,
  quantizedOnGrid,
  storedOnGrid,
  type WeightOnGrid
} from "@speedq/quantizers"
import { cast, noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import type { LayerGrid } from "../rounding/LayerGrid.ts"

/** Whether scales and zero points are learned or follow the weights. Left open, they are learned where each group has its own. */
export type Grids = "follow" | "learned" | undefined

/** Whether those of a quantizer are. */
export const learnsGrid = (choice: QuantizerChoice, grids?: Grids): boolean =>
  grids === undefined ? hasFreeScales(choice) : grids === "learned" && learnedGrid(choice) !== undefined

/** Names of what is trained: "weight", and "scale" and "zero" where they are learned. */
export const learnedParts = (choice: QuantizerChoice, grids?: Grids): readonly string[] =>
  learnsGrid(choice, grids) ? ["weight", "scale", "zero"] : ["weight"]

/** What is trained of a Linear before the first step, new tensors: the full-precision weight, on the grid of rounding to nearest. */
export const initialParts = (choice: QuantizerChoice, { weight, parameters }: LayerGrid, grids?: Grids): Parameters => {
  const copied = (tensor: Tensor): Tensor => cast(tensor, "f32")
  if (!learnsGrid(choice, grids)) return { weight: copied(weight) }
  const { quantizer, config } = choice
  return scope(() => {
    const { scale, zero } = quantizer.grid?.range?.(config, weight) ?? parameters
    return { weight: copied(weight), scale: copied(scale), zero: copied(zero) }
  })
}

/** A layer's parts with its grid; undefined where no grid is among what is trained. */
const onGrid = (choice: QuantizerChoice, { weight, scale, zero }: Parameters) => {
  if (scale === undefined || zero === undefined) return undefined
  const given: readonly [LearnedGrid, WeightOnGrid] = [learnedGrid(choice)!, { weight: weight!, scale, zero }]
  return given
}

/** The quantized weight [N, K], differentiable by all that is trained. */
export const learnedWeight = (choice: QuantizerChoice, parts: Parameters): Tensor => {
  const learned = onGrid(choice, parts)
  return learned ? quantizedOnGrid(...learned) : choice.quantizer.fakeQuantize(choice.config, parts["weight"]!)
}

/** The same in its quantizer's stored form. */
export const storedWeight = (choice: QuantizerChoice, parts: Parameters): QuantizedWeight => {
  const learned = onGrid(choice, parts)
  return noGrad(() =>
    scope(() => (learned ? storedOnGrid(...learned) : choice.quantizer.quantize(choice.config, parts["weight"]!)))
  )
}
