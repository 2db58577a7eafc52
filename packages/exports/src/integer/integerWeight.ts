/** A weight of whole codes, zero points and a scale a group, as the formats of other runtimes hold it: w = f16(scale) (code - zero). */
import type { PackedWeight } from "@speedq/quantizers"
import { f16ToF32, f32ToF16, noGrad } from "@speedq/tensors"
import { type Difference, differenceOf } from "../exporter/Difference.ts"

export interface IntegerWeight {
  readonly rows: number
  readonly columns: number
  readonly bits: number
  /** Columns of a group. */
  readonly group: number
  /** [rows, columns] */
  readonly codes: Uint8Array
  /** Scales before they are rounded to f16, [rows, columns / group]. */
  readonly scales: Float32Array
  /** [rows, columns / group], codes themselves. */
  readonly zeros: Uint8Array
}

/** Rows [part / parts, (part + 1) / parts) of a matrix. */
const rowsOf = <T extends Uint8Array | Float32Array>(matrix: T, part: number, parts: number): T =>
  matrix.subarray((part * matrix.length) / parts, ((part + 1) * matrix.length) / parts) as T

/** Reads one of `parts` equal runs of rows of a weight whose codes are affine. */
export const readIntegerWeight = async (
  { affine, shape }: PackedWeight,
  part = 0,
  parts = 1
): Promise<IntegerWeight> => {
  const [rows, columns] = shape as readonly [number, number]
  const { bits, group, codes: codesOf, grid } = affine!
  const codes = noGrad(codesOf)
  const { scale, zero } = noGrad(grid)
  try {
    const zeros = Uint8Array.from(await zero.read())
    return {
      ...{ rows: rows / parts, columns, bits, group },
      codes: rowsOf((await codes.read()) as Uint8Array, part, parts),
      scales: rowsOf((await scale.read()) as Float32Array, part, parts),
      zeros: rowsOf(zeros, part, parts)
    }
  } finally {
    for (const tensor of [codes, scale, zero]) tensor.release()
  }
}

/** What codes stand for, each operation in f32. */
const decoded = ({ codes, zeros, group }: IntegerWeight, scales: Float32Array): Float32Array =>
  Float32Array.from(codes, (code, i) => {
    const at = Math.floor(i / group)
    return scales[at]! * (code - zeros[at]!)
  })

/** Scales as they are written. */
export const halfScales = ({ scales }: IntegerWeight): Uint16Array => f32ToF16(scales)

/** How far the weight is from itself with scales in f16. */
export const scaleDifference = (weight: IntegerWeight): Difference =>
  differenceOf(decoded(weight, weight.scales), decoded(weight, f16ToF32(halfScales(weight))))
