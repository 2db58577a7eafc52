/**
 * One thread's product C = op(A) op(B) (+ C) of f32 matrices in any memories: a call of the BLAS, or blocks of packed
 * panels. A block of B (depth x width) and one of A (height x depth) are packed so that the kernel reads both in order;
 * a foreign operand is packed in its own memory and the packed block copied.
 */
import type { Gemm } from "./library/Products.ts"
import { type Place, panelBytes, type Thread } from "./Thread.ts"

/** A matrix with rows `stride` elements apart, taken transposed if so said. */
export interface Factor extends Place {
  readonly stride: number
  readonly transposed: boolean
}

/** Extents of a block; a packed block of B takes half of the panels' megabyte, one of A an eighth. */
const depth = 256
const width = 512
const height = 120
/** Rows and columns of the register tile: the packed panels are this wide. */
const tileRows = 4
const tileColumns = 8
const tileBytes = 4 * tileRows * tileColumns

/** C = op(A) op(B) (+ C): A is m x k, B k x n. */
type Multiply = (
  thread: Thread,
  m: number,
  n: number,
  k: number,
  a: Factor,
  b: Factor,
  c: Place & { readonly stride: number },
  accumulate: boolean
) => void

const addressOf = (thread: Thread, { memory, offset }: Place): number => thread.home(memory).address + offset

/** By a library, which takes addresses. */
const multiplyBy =
  (gemm: Gemm): Multiply =>
  (thread, m, n, k, a, b, c, accumulate) => {
    const left = addressOf(thread, a)
    const right = addressOf(thread, b)
    const beta = accumulate ? 1 : 0
    gemm(m, n, k, left, a.stride, a.transposed, right, b.stride, b.transposed, beta, addressOf(thread, c), c.stride)
  }

export const multiply: Multiply = (thread, m, n, k, a, b, c, accumulate) => {
  if (m === 0 || n === 0) return
  const home = thread.home(c.memory)
  if (k === 0) {
    if (!accumulate) home.entries.clearRows!(m, n, c.offset, c.stride)
    return
  }
  const f32 = thread.products?.f32
  if (f32 !== undefined) {
    multiplyBy(f32)(thread, m, n, k, a, b, c, accumulate)
    return
  }
  const packedB = thread.panels
  const packedA = packedB + 4 * depth * width
  const tile = packedA + 4 * depth * height
  if (tile + tileBytes > thread.panels + panelBytes) throw new RangeError("panels of the product are too small")
  for (let column = 0; column < n; column += width) {
    const columns = Math.min(width, n - column)
    for (let inner = 0; inner < k; inner += depth) {
      const length = Math.min(depth, k - inner)
      const [stepB, acrossB] = b.transposed ? [1, b.stride] : [b.stride, 1]
      const fromB = b.offset + 4 * (inner * stepB + column * acrossB)
      pack(thread, "packColumns", columns, length, b, fromB, c.memory, packedB, tileColumns)
      for (let row = 0; row < m; row += height) {
        const rows = Math.min(height, m - row)
        const [stepA, acrossA] = a.transposed ? [1, a.stride] : [a.stride, 1]
        const fromA = a.offset + 4 * (row * stepA + inner * acrossA)
        pack(thread, "packRows", rows, length, a, fromA, c.memory, packedA, tileRows)
        const target = c.offset + 4 * (row * c.stride + column)
        const add = accumulate || inner > 0 ? 1 : 0
        home.entries.multiplyPanels!(rows, columns, length, packedA, packedB, target, c.stride, add, tile)
      }
    }
  }
}

/** The same of factors in bf16, by the library: sums are f32, and so is C. */
export const multiplyBfloat16: Multiply = (thread, m, n, k, a, b, c, accumulate) => {
  if (m === 0 || n === 0 || k === 0) {
    multiply(thread, m, n, 0, a, b, c, accumulate)
    return
  }
  const gemm = thread.products?.bf16
  if (gemm === undefined) throw new RangeError("this thread has no product of bf16")
  multiplyBy(gemm)(thread, m, n, k, a, b, c, accumulate)
}

/** Packs `across` lines of `length` elements into panels of `panel` lines, the last one filled up with zeros. */
const pack = (
  thread: Thread,
  entry: string,
  across: number,
  length: number,
  source: Factor,
  from: number,
  home: number,
  to: number,
  panel: number
): void => {
  thread.entry(source.memory, entry)(across, length, from, source.stride, source.transposed ? 1 : 0, to)
  if (source.memory !== home) {
    const bytes = 4 * length * panel * Math.ceil(across / panel)
    thread.copy({ memory: home, offset: to }, { memory: source.memory, offset: to }, bytes)
  }
}
