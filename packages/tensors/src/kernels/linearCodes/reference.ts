import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { roundHalfEven } from "../../numbers/roundHalfEven.ts"
import {
  chunkBytes,
  chunkColumns,
  type LinearCodesAttributes,
  linearCodesExtents,
  tileRowsTogether
} from "./geometry.ts"

type Inputs = "x" | "codes" | "grid" | "origin" | "step" | "bias"

const f = Math.fround

/** Blocks of x below this are zeros under int8. */
const smallest = 2 ** -100

/** Numbers of x in steps of max |x| / 127 of their chunk. */
const inBytes = (chunk: Float64Array): Float64Array => {
  const most = chunk.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  if (!Number.isFinite(most)) return chunk.fill(Number.NaN)
  if (most < smallest) return chunk.fill(0)
  const [step, factor] = [f(most / 127), f(127 / most)]
  return chunk.map((value) => step * roundHalfEven(f(value * factor)))
}

/** y[r, o] = bias[o] + sum over i of x[r, i] w[o, i], w = scale (code - zero) in f32, x as it is or in bytes by chunks. */
export const reference = (
  { x, codes, grid, origin, step, bias }: Arrays<Inputs>,
  { y }: Arrays<"y">,
  { inputs }: Geometry<Inputs, "y">,
  attributes: LinearCodesAttributes
): void => {
  const { n, k, group, byRows, chunks, steps, sharing } = linearCodesExtents(inputs, attributes)
  const { bits, activations } = attributes
  const columns = chunkColumns(bits)
  const weight = (row: number, column: number): number => {
    const [tile, turn] = [Math.floor(row / tileRowsTogether), row % tileRowsTogether]
    const chunk = Math.floor(column / columns)
    const bit = (column % columns) * bits
    const byte = codes[((tile * chunks + chunk) * tileRowsTogether + turn) * chunkBytes + Math.floor(bit / 8)]!
    const code = Math.floor(byte / 2 ** (bit % 8)) % 2 ** bits
    const at = byRows ? Math.floor(column / group) : Math.floor((4 * column) / columns)
    const scaleAndZero = grid[(tile * steps + at) * tileRowsTogether + turn]!
    const shared = Math.floor(row / sharing) * steps + at
    // Four rows take turns by single groups, or by the four lanes of a chunk.
    const own = byRows
      ? (tile * steps + at) * tileRowsTogether + turn
      : ((tile * chunks + chunk) * tileRowsTogether + turn) * 4 + (at % 4)
    const scale = step ? f(origin[shared]! + f(step[shared]! * (scaleAndZero % 16))) : origin[own]!
    return f(scale * f(code - Math.floor(scaleAndZero / 16)))
  }
  const weights = Float64Array.from({ length: n * k }, (_, index) => weight(Math.floor(index / k), index % k))
  const rounded = Float64Array.from(x)
  if (activations === "int8") {
    for (let row = 0; row < x.length; row += k) {
      for (let column = 0; column < k; column += columns) {
        const end = row + Math.min(k, column + columns)
        rounded.set(inBytes(rounded.slice(row + column, end)), row + column)
      }
    }
  }
  for (let i = 0; i < y.length; i++) {
    const [row, output] = [Math.floor(i / n), i % n]
    let sum = bias?.[output] ?? 0
    for (let j = 0; j < k; j++) sum += rounded[row * k + j]! * weights[output * k + j]!
    y[i] = sum
  }
}
