/**
 * Whether given numbers are the dequantized ones of a quantizer, and their codes if so. Two grids are tried: that of the original
 * weight, which rounding methods such as AdaRound keep, and that of the numbers themselves. A grid is only right where every number
 * comes back with the same bits (0 may have either sign).
 */
import { largestDifference, packNearest } from "@speedq/exports"
import { type PackedWeight, packWeight, type QuantizerChoice } from "@speedq/quantizers"
import { cast, gridCodes, noGrad, scope, type Tensor } from "@speedq/tensors"

export interface PlacedWeight {
  readonly layer: string
  /** Undefined where the numbers are on neither grid. */
  readonly packed: PackedWeight | undefined
  /** Largest distance of a number from the nearer of the two grids; 0 where it is packed. */
  readonly difference: number
}

/** The weight in codes on the grid of the original one; undefined for quantizers without a grid. */
const onOriginalGrid = async (
  layer: string,
  { quantizer, config, ...written }: QuantizerChoice,
  weight: Tensor,
  original: Tensor
): Promise<PackedWeight | undefined> => {
  const { grid } = quantizer
  if (grid === undefined) return undefined
  const stored = noGrad(() =>
    scope(() => {
      const { scale, zero, stored } = grid.parameters(config, cast(original, "f32"))
      const kept = Object.entries(stored).map(([name, tensor]) => [name, tensor.alias()] as const)
      return { codes: gridCodes(weight, scale, zero, grid.extents(config).bits), ...Object.fromEntries(kept) }
    })
  )
  try {
    return await packWeight(layer, { quantizer, config, ...written }, weight.shape, stored)
  } finally {
    for (const tensor of Object.values<Tensor>(stored)) tensor.release()
  }
}

/** `weight` are the given numbers, `original` those before quantization. Raises NonFiniteWeight, WeightTooLarge. */
export const placeOnGrid = async (
  layer: string,
  choice: QuantizerChoice,
  weight: Tensor,
  original: Tensor
): Promise<PlacedWeight> => {
  const wide = noGrad(() => cast(weight, "f32"))
  try {
    const numbers = await wide.read()
    let difference = Number.POSITIVE_INFINITY
    const tries = [() => onOriginalGrid(layer, choice, wide, original), () => packNearest(layer, choice, wide)]
    for (const attempt of tries) {
      const packed = await attempt()
      if (packed === undefined) continue
      const unpacked = noGrad(() => packed.unpack())
      const distance = largestDifference(numbers, await unpacked.read())
      unpacked.release()
      if (distance === 0) return { layer, packed, difference: 0 }
      packed.release()
      difference = Math.min(difference, distance)
    }
    return { layer, packed: undefined, difference }
  } finally {
    wide.release()
  }
}
