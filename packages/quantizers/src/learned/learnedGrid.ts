/**
 * A quantized weight as a function of the weight and of the scales and zero points of its groups, all of which can be trained
 * (docs/method.md, "Block-AP" and "Learned grids"):
 *
 *   w' = s' (clamp(rne(w / s' + z'), 0, 2^b - 1) - z'),  s' and z' the nearest of s and z that can be stored
 *
 * Gradients pass straight through all roundings, and through the limits of s and z (kernel gridGradient).
 */
import { customGradient, gridCodes, gridDecode, gridGradient, scope, type Tensor } from "@speedq/tensors"
import type { GridParameters, QuantizedWeight, QuantizerChoice } from "../quantizer/Quantizer.ts"

/** A grid whose scales and zero points can be learned. */
export interface LearnedGrid {
  readonly bits: number
  /** Input columns that share a scale and a zero point. */
  readonly group: number
  /** Whether zero points are stored: those of a symmetric grid are the same everywhere. */
  readonly hasZero: boolean
  /** Scales and zero points [out, in / g] that the range of a weight gives: on them, its quantizer's fake quantization. */
  readonly range: (weight: Tensor) => { readonly scale: Tensor; readonly zero: Tensor }
  readonly nearest: (scale: Tensor, zero: Tensor) => GridParameters
}

/** A weight [out, in] beside scales and zero points [out, in / g], real numbers. */
export interface WeightOnGrid {
  readonly weight: Tensor
  readonly scale: Tensor
  readonly zero: Tensor
}

/**
 * The grid of a quantizer whose scales and zero points can be learned; undefined where they cannot: a quantizer without such a grid, or
 * with options under which codes stand for something else than scale (code - zero) in f32.
 */
export const learnedGrid = ({ quantizer, config }: QuantizerChoice): LearnedGrid | undefined => {
  const { grid, affine } = quantizer
  const extents = affine?.extents(config)
  if (grid?.nearest === undefined || (affine !== undefined && extents === undefined)) return undefined
  const { nearest, range = grid.parameters } = grid
  return {
    ...grid.extents(config),
    hasZero: extents?.commonZero === undefined,
    range: (weight) => range.call(grid, config, weight),
    nearest: (scale, zero) => nearest.call(grid, config, scale, zero)
  }
}

/** Whether groups have scales of their own, none of which changes what another can be. */
export const hasFreeScales = (choice: QuantizerChoice): boolean =>
  learnedGrid(choice) !== undefined && choice.quantizer.grid?.sharesScales !== true

/** The quantized weight [out, in], differentiable by weight, scale and zero point. */
export const quantizedOnGrid = ({ bits, nearest }: LearnedGrid, { weight, scale, zero }: WeightOnGrid): Tensor =>
  scope(() => {
    const [y] = customGradient("learnedWeight", [weight, scale, zero], () => {
      const kept = nearest(scale, zero)
      return {
        outputs: [gridDecode(gridCodes(weight, kept.scale, kept.zero, bits), kept.scale, kept.zero, bits)] as const,
        saved: [weight, kept.scale, kept.zero],
        backward: ([dy], [w, s, z]) => {
          if (dy === undefined) return [undefined, undefined, undefined]
          const { dweight, dscale, dzero } = gridGradient({ dy, weight: w!, scale: s!, zero: z! }, bits)
          return [dweight, dscale, dzero]
        }
      }
    })
    return y
  })

/** The same in its quantizer's stored form, in the caller's scope. */
export const storedOnGrid = ({ bits, nearest }: LearnedGrid, { weight, scale, zero }: WeightOnGrid): QuantizedWeight =>
  scope(() => {
    const kept = nearest(scale, zero)
    return { codes: gridCodes(weight, kept.scale, kept.zero, bits), ...kept.stored }
  })
