/**
 * A quantized weight as a function of what Block-AP trains of it (arXiv:2407.11062; docs/method.md, "Block-AP"): the weight itself and,
 * where groups have scales of their own, scale and zero point of every group.
 *
 *   w' = s' (clamp(rne(w / s' + z'), 0, 2^b - 1) - z'),  s' and z' the nearest of s and z that can be stored
 *
 * Gradients pass straight through all roundings (kernel gridGradient), and through the fake quantization of quantizers whose scales
 * follow the weights.
 */
import type { CodeGrid, QuantizedWeight, QuantizerChoice } from "@speedq/quantizers"
import {
  cast,
  customGradient,
  gridCodes,
  gridDecode,
  gridGradient,
  noGrad,
  type Parameters,
  scope,
  type Tensor
} from "@speedq/tensors"
import type { LayerGrid } from "../rounding/LayerGrid.ts"

/** The grid of a quantizer whose scales and zero points can be learned; undefined where they follow the weights. */
const learnedGrid = ({ quantizer, config }: QuantizerChoice) => {
  const { grid } = quantizer
  if (grid?.nearest === undefined) return undefined
  const { bits } = grid.extents(config)
  const nearest: NonNullable<CodeGrid<object>["nearest"]> = grid.nearest.bind(grid)
  return { bits, nearest: (scale: Tensor, zero: Tensor) => nearest(config, scale, zero) }
}

/** Names of what is trained: "weight", and "scale" and "zero" where they are free. */
export const learnedParts = (choice: QuantizerChoice): readonly string[] =>
  learnedGrid(choice) === undefined ? ["weight"] : ["weight", "scale", "zero"]

/** What is trained of a Linear before the first step, new tensors: the full-precision weight, on the grid of rounding to nearest. */
export const initialParts = (choice: QuantizerChoice, { weight, parameters }: LayerGrid): Parameters => {
  const copied = (tensor: Tensor): Tensor => cast(tensor, "f32")
  const { scale, zero } = parameters
  return learnedGrid(choice) === undefined
    ? { weight: copied(weight) }
    : { weight: copied(weight), scale: copied(scale), zero: copied(zero) }
}

/** The quantized weight [N, K], differentiable by all that is trained. */
export const learnedWeight = (choice: QuantizerChoice, { weight, scale, zero }: Parameters): Tensor => {
  const grid = learnedGrid(choice)
  if (grid === undefined) return choice.quantizer.fakeQuantize(choice.config, weight!)
  const { bits, nearest } = grid
  return scope(() => {
    const [y] = customGradient("learnedWeight", [weight!, scale!, zero!], () => {
      const kept = nearest(scale!, zero!)
      return {
        outputs: [gridDecode(gridCodes(weight!, kept.scale, kept.zero, bits), kept.scale, kept.zero, bits)] as const,
        saved: [weight!, kept.scale, kept.zero],
        backward: ([dy], [w, s, z]) => {
          if (dy === undefined) return [undefined, undefined, undefined]
          const { dweight, dscale, dzero } = gridGradient({ dy, weight: w!, scale: s!, zero: z! }, bits)
          return [dweight, dscale, dzero]
        }
      }
    })
    return y
  })
}

/** The same in its quantizer's stored form. */
export const storedWeight = (choice: QuantizerChoice, { weight, scale, zero }: Parameters): QuantizedWeight => {
  const grid = learnedGrid(choice)
  return noGrad(() =>
    scope(() => {
      if (grid === undefined) return choice.quantizer.quantize(choice.config, weight!)
      const kept = grid.nearest(scale!, zero!)
      return { codes: gridCodes(weight!, kept.scale, kept.zero, grid.bits), ...kept.stored }
    })
  )
}
