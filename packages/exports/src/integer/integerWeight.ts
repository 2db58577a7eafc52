/** A weight of whole codes, zero points and a scale a group, as the formats of other runtimes hold it: w = f16(scale) (code - zero). */
import type { PackedWeight } from "@speedq/quantizers"
import { f16ToF32, f32ToF16 } from "@speedq/tensors"
import type { Difference } from "../exporter/Difference.ts"
import { readCodes, readGrid } from "../model/affineNumbers.ts"
import { rowsOf } from "../model/rowsOf.ts"

export interface IntegerWeight {
  /** Columns of a group. */
  readonly group: number
  /** [rows, columns] */
  readonly codes: Uint8Array
  /** Scales before they are rounded to f16, [rows, columns / group]. */
  readonly scales: Float32Array
  /** [rows, columns / group], codes themselves. */
  readonly zeros: Uint8Array
}

/** Reads one of `parts` equal runs of rows of a weight whose codes are affine. */
export const readIntegerWeight = async ({ affine }: PackedWeight, part = 0, parts = 1): Promise<IntegerWeight> => {
  const { scale, zero } = await readGrid(affine!)
  return {
    group: affine!.group,
    codes: rowsOf(await readCodes(affine!), part, parts),
    scales: rowsOf(scale, part, parts),
    zeros: Uint8Array.from(rowsOf(zero, part, parts))
  }
}

/** Scales as they are written. */
export const halfScales = ({ scales }: IntegerWeight): Uint16Array => f32ToF16(scales)

/**
 * How far the weight is from itself with scales in f16: of a group with codes c, zero point z and scale s, |s' - s| max |c - z| and
 * (s' - s)^2 sum (c - z)^2.
 */
export const scaleDifference = (weight: IntegerWeight): Difference => {
  const { codes, zeros, scales, group } = weight
  const written = f16ToF32(halfScales(weight))
  let [largest, errors, squares] = [0, 0, 0]
  for (let at = 0; at < scales.length; at++) {
    let [furthest, sum] = [0, 0]
    for (let i = at * group; i < (at + 1) * group; i++) {
      const step = codes[i]! - zeros[at]!
      furthest = Math.max(furthest, Math.abs(step))
      sum += step * step
    }
    const change = Math.abs(written[at]! - scales[at]!)
    largest = Math.max(largest, change * furthest)
    errors += change ** 2 * sum
    squares += scales[at]! ** 2 * sum
  }
  return { maxAbsErr: largest, relErr: errors === 0 ? 0 : Math.sqrt(errors / squares) }
}
