/** Slices of products: by the BLAS where there is one, by the WebAssembly kernels otherwise. */
import { type Factor, multiply, multiplyBfloat16 } from "./multiply.ts"
import { storedType } from "./storedType.ts"
import { scratchBytes, type Thread } from "./Thread.ts"
import type { Matrix, ProductTask } from "./tasks.ts"

/**
 * Columns and terms of sums of a block of weights in f32: three megabytes of scratch. The terms do not depend on how a product is sliced,
 * so that its bits do not depend on the number of threads, and are a multiple of those that the WebAssembly product adds up at once, so
 * that it gives the bits of a product with the whole matrix.
 */
const [widestBlock, deepestBlock] = [768, 1024]

/** The part of op(X) that starts at (row, column). */
const at = (x: Matrix, item: number, row: number, column: number, bytes: number): Factor => ({
  memory: x.memory,
  offset: x.offset + item * x.batchBytes + bytes * (x.transposed ? column * x.stride + row : row * x.stride + column),
  stride: x.stride,
  transposed: x.transposed
})

/** Rows of a tile of sums: those of a picture of 448 x 448 in one. */
const tallestTile = 1040
/** Floats of a cache line. */
const lineElements = 16

/** A rectangle of C. */
interface Slice {
  readonly row: number
  readonly rows: number
  readonly column: number
  readonly columns: number
}

export const runProduct = (thread: Thread, task: ProductTask, part: number): void => {
  const { m, n, k, a, b, c, bias, sliceM, sliceN } = task
  const slicesN = Math.ceil(n / sliceN)
  const slicesM = Math.ceil(m / sliceM)
  const column = (part % slicesN) * sliceN
  const row = (Math.floor(part / slicesN) % slicesM) * sliceM
  const item = Math.floor(part / (slicesN * slicesM))
  const rows = Math.min(sliceM, m - row)
  const columns = Math.min(sliceN, n - column)
  const target = at(c, item, row, column, 4)
  if (task.parts !== undefined && multiplyParts(thread, task, task.parts, { row, rows, column, columns })) return
  if (bias !== undefined) {
    thread.entry(c.memory, "fillRows")(rows, columns, bias + 4 * column, target.offset, c.stride)
  }
  const accumulate = task.accumulate || bias !== undefined
  if (a.type === "bf16") {
    const [left, right] = [at(a, item, row, 0, 2), at(b, item, 0, column, 2)]
    multiplyBfloat16(thread, rows, columns, k, left, right, target, accumulate)
    return
  }
  const left = at(a, item, row, 0, 4)
  if (b.type === "f32") {
    multiply(thread, rows, columns, k, left, at(b, item, 0, column, 4), target, accumulate)
    return
  }
  const wide = Math.min(columns, widestBlock)
  const fill = blockFiller(thread, task, item)
  if (k === 0) multiply(thread, rows, columns, 0, left, left, target, accumulate)
  for (let first = 0; first < columns; first += wide) {
    const count = Math.min(wide, columns - first)
    const wanted = { ...target, offset: target.offset + 4 * first }
    for (let inner = 0; inner < k; inner += deepestBlock) {
      const depth = Math.min(deepestBlock, k - inner)
      const block = fill({ inner, depth, column: column + first, count })
      multiply(thread, rows, count, depth, at(a, item, row, inner, 4), block, wanted, accumulate || inner > 0)
    }
  }
}

/** A block of B: terms `inner` to `inner + depth` of sums, columns `column` to `column + count` of C. */
interface Block {
  readonly inner: number
  readonly depth: number
  readonly column: number
  readonly count: number
}

/**
 * Makes blocks of B in f32 in scratch, where the product takes them from the cache: weights of 16 bits are widened, codes decoded. There
 * is never a second copy of the matrix.
 */
const blockFiller = (thread: Thread, { b, k, decoder }: ProductTask, item: number): ((block: Block) => Factor) => {
  const filled = (stride: number) => ({ memory: b.memory, offset: thread.scratch, stride, transposed: b.transposed })
  if (decoder !== undefined) {
    const { grid, origin, step, group, bits, sharing, scaleType } = decoder
    const unpack = thread.entry(b.memory, "unpackTiles")
    return ({ inner, depth, column, count }) => {
      const weight = [b.offset, grid, origin, step, k, group, bits, sharing, scaleType]
      unpack(column, count, inner, depth, ...weight, thread.scratch, depth)
      return filled(depth)
    }
  }
  const widen = thread.entry(b.memory, "widenRows")
  const type = storedType[b.type as "bf16" | "f16"]
  return ({ inner, depth, column, count }) => {
    const [height, width] = b.transposed ? [count, depth] : [depth, count]
    const block = at(b, item, inner, column, 2)
    widen(height, width, block.offset, b.stride, thread.scratch, width, type)
    return filled(width)
  }
}

/**
 * A slice of a product by its parts, the lowest first, tile by tile in scratch: the sums stay in the cache, and their rows are
 * an odd number of cache lines apart. Rows of a model's width are multiples of 4096 bytes apart, which all map to the same
 * set of the first cache, and the library writes dozens of them at a time: a quarter more time.
 *
 * False where a tile is not finite: an infinite weight times a part that is 0 gives NaN, in every row, for which the whole
 * number has infinity; the slice has to be computed again then.
 */
const multiplyParts = (
  thread: Thread,
  { m, k, a, b, c, bias = 0 }: ProductTask,
  parts: number,
  { row, rows, column, columns }: Slice
): boolean => {
  const [left, right, home] = [thread.home(a.memory).address, thread.home(b.memory).address, thread.home(c.memory)]
  const store = thread.entry(c.memory, "storeRows")
  const tile = tileOf(rows, columns)
  for (let across = 0; across < columns; across += tile.columns) {
    const width = Math.min(tile.columns, columns - across)
    const weights = at(b, 0, 0, column + across, 2)
    for (let down = 0; down < rows; down += tile.rows) {
      const height = Math.min(tile.rows, rows - down)
      for (let part = 0; part < 3; part++) {
        const offset = parts + 2 * (part * m + row + down) * k
        thread.products!.bf16!(
          height,
          width,
          k,
          left + offset,
          k,
          false,
          right + weights.offset,
          weights.stride,
          weights.transposed,
          part === 0 ? 0 : 1,
          home.address + thread.panels,
          tile.stride
        )
      }
      if (!new Float32Array(home.memory.buffer, thread.panels, width).every(Number.isFinite)) return false
      const target = at(c, 0, row + down, column + across, 4)
      const from = bias === 0 ? 0 : bias + 4 * (column + across)
      store(height, width, thread.panels, tile.stride, from, target.offset, c.stride)
    }
  }
  return true
}

/** The largest tile of a slice, about equal to its neighbours, whose rows fit all scratch an odd number of cache lines apart. */
const tileOf = (rows: number, columns: number): { rows: number; columns: number; stride: number } => {
  const height = evenly(rows, tallestTile)
  const lines = Math.floor(scratchBytes / (4 * height * lineElements))
  const width = evenly(columns, (lines - 1) * lineElements)
  return { rows: height, columns: width, stride: (Math.ceil(width / lineElements) | 1) * lineElements }
}

/** Extent of equal pieces of at most `most`. */
const evenly = (extent: number, most: number): number => Math.ceil(extent / Math.ceil(extent / most))
