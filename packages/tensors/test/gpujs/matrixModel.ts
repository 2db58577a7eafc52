/**
 * What products by matrices of f16 compute, in plain TypeScript: src/backends/gpujs/webgpu/matrixProducts.ts without its tiles. Sums
 * are rounded to f32 at every step, in the order of k.
 */
import { toFloat16 } from "../../src/index.ts"

const bitsOf = new Uint32Array(1)
const numberOf = new Float32Array(bitsOf.buffer)

/** The number of 11 bits nearest to x, ties to even; 0 where f16 would have a subnormal. */
export const in11Bits = (x: number): number => {
  numberOf[0] = x
  const bits = bitsOf[0]!
  bitsOf[0] = ((bits + 0xfff + ((bits >>> 13) & 1)) & 0xffffe000) >>> 0
  return Math.abs(numberOf[0]) < 2 ** -14 ? 0 : numberOf[0]
}

/** The power of two that a row is multiplied by; 0 for one that holds NaN or infinity. */
export const scaleOf = (row: readonly number[]): number => {
  const most = row.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0)
  if (!Number.isFinite(most)) return 0
  return most < 2 ** -112 ? 2 ** 126 : 2 ** (14 - Math.floor(Math.log2(most)))
}

/** A row in f16, scaled. */
export interface Halves {
  readonly scale: number
  readonly high: readonly number[]
  readonly low: readonly number[]
}

export const halvesOf = (row: readonly number[]): Halves => {
  const scale = scaleOf(row)
  const scaled = row.map((x) => Math.fround(x * scale))
  const high = scaled.map(in11Bits)
  return { scale, high, low: scaled.map((x, i) => in11Bits(Math.fround((x - high[i]!) * 2 ** 11))) }
}

/** Whether f16 holds a number, and not as a subnormal. */
export const isNormalHalf = (x: number): boolean => {
  const exponent = (toFloat16(x) >> 10) & 0x1f
  return x === 0 || (exponent > 0 && exponent < 31)
}

const { fround } = Math

/** y = op(a) op(b) of rows of op(a) and columns of op(b). */
export const matrixProduct = (
  terms: 1 | 3,
  rows: readonly (readonly number[])[],
  columns: readonly (readonly number[])[]
): number[][] => {
  const [left, right] = [rows.map(halvesOf), columns.map(halvesOf)]
  return left.map((a) =>
    right.map((b) => {
      if (a.scale === 0 || b.scale === 0) return Number.NaN
      let [sum, small] = [0, 0]
      for (let k = 0; k < a.high.length; k++) {
        sum = fround(sum + a.high[k]! * b.high[k]!)
        small = fround(fround(small + a.high[k]! * b.low[k]!) + a.low[k]! * b.high[k]!)
      }
      // The inverse of scaling is exact but for what leaves the range of f32.
      const scaled = terms === 3 ? fround(sum + small * 2 ** -11) : sum
      return fround(scaled / a.scale / b.scale)
    })
  )
}
