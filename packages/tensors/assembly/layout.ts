/** Moving rows and blocks: gathers, scatters, cuts and permutations. */
import { columnSums } from "./broadcast"
import { widen } from "./storage"

/** Copies `bytes` bytes of each row, from rows `strideX` bytes apart to rows `strideY` bytes apart. */
export function copyColumns(
  _first: i32,
  count: i32,
  x: usize,
  y: usize,
  strideX: i32,
  strideY: i32,
  offsetX: i32,
  offsetY: i32,
  bytes: i32
): void {
  x += <usize>offsetX
  y += <usize>offsetY
  for (let row = 0; row < count; row++, x += <usize>strideX, y += <usize>strideY) memory.copy(y, x, <usize>bytes)
}

/** y[n] = table[index[n]], widened when the type is not 0 (f32). */
export function gatherRows(
  _first: i32,
  count: i32,
  table: usize,
  index: usize,
  y: usize,
  columns: i32,
  type: i32
): void {
  const width = <usize>columns
  for (let n = 0; n < count; n++, index += 4, y += width << 2) {
    const row = <usize>load<i32>(index)
    if (type === 0) memory.copy(y, table + ((row * width) << 2), width << 2)
    else widen(0, columns, table + ((row * width) << 1), y, type)
  }
}

/** Rows `first` to `first + count` of y: y[v] = sum over n with index[n] = v of rows[n], n in order. */
export function scatterAddRows(
  first: i32,
  count: i32,
  rows: usize,
  index: usize,
  y: usize,
  columns: i32,
  n: i32
): void {
  const width = (<usize>columns) << 2
  memory.fill(y, 0, <usize>count * width)
  for (let i = 0; i < n; i++, index += 4, rows += width) {
    const row = load<i32>(index) - first
    if (<u32>row < <u32>count) columnSums(0, 1, rows, y + <usize>row * width, columns)
  }
}

/** target[index[n]] = rows[n] */
export function writeRows(_first: i32, count: i32, rows: usize, index: usize, target: usize, columns: i32): void {
  const width = (<usize>columns) << 2
  for (let n = 0; n < count; n++, index += 4, rows += width) {
    memory.copy(target + <usize>load<i32>(index) * width, rows, width)
  }
}

/** target[index[n]] = 0 */
export function zeroRows(_first: i32, count: i32, index: usize, target: usize, columns: i32): void {
  const width = (<usize>columns) << 2
  for (let n = 0; n < count; n++, index += 4) memory.fill(target + <usize>load<i32>(index) * width, 0, width)
}

/** y[t] = row, then x[t]: items of `bytes` bytes after a row of `rowBytes`. */
export function prependRow(_first: i32, count: i32, x: usize, row: usize, y: usize, bytes: i32, rowBytes: i32): void {
  for (let t = 0; t < count; t++, x += <usize>bytes) {
    memory.copy(y, row, <usize>rowBytes)
    memory.copy(y + <usize>rowBytes, x, <usize>bytes)
    y += <usize>bytes + <usize>rowBytes
  }
}

/** Copies a run of bytes one way or the other. */
function exchange(whole: usize, cut: usize, bytes: usize, inverse: i32): void {
  if (inverse) memory.copy(whole, cut, bytes)
  else memory.copy(cut, whole, bytes)
}

/**
 * Cells of the coarse grid of pixel shuffle, `coarse` at cell `first`: the cell's channels are `factor` runs of the fine
 * grid [tiles, height factor, width factor, channels]. `swapped`: cells run down columns (v1).
 */
export function pixelShuffle(
  first: i32,
  count: i32,
  fine: usize,
  coarse: usize,
  height: i32,
  width: i32,
  channels: i32,
  factor: i32,
  swapped: i32,
  inverse: i32
): void {
  const bytes = (<usize>(factor * channels)) << 2
  for (let cell = first; cell < first + count; cell++) {
    const minor = swapped ? height : width
    const major = swapped ? width : height
    const u = cell / minor
    const tile = u / major
    const i = swapped ? cell % minor : u % major
    const j = swapped ? u % major : cell % minor
    for (let di = 0; di < factor; di++, coarse += bytes) {
      const row = (tile * height + i) * factor + di
      exchange(fine + (<usize>row * <usize>width + <usize>j) * bytes, coarse, bytes, inverse)
    }
  }
}

/** Strips of patches: strip (t, i) of images [T, C, side, side] is `grid` rows of `cut`, each (channel, y, x). */
export function patches(
  first: i32,
  count: i32,
  images: usize,
  cut: usize,
  channels: i32,
  grid: i32,
  patch: i32,
  inverse: i32
): void {
  const side = grid * patch
  const bytes = (<usize>patch) << 2
  for (let strip = first; strip < first + count; strip++) {
    const tile = strip / grid
    const i = strip % grid
    for (let j = 0; j < grid; j++) {
      for (let c = 0; c < channels; c++) {
        for (let di = 0; di < patch; di++, cut += bytes) {
          const pixel = ((tile * channels + c) * side + i * patch + di) * side + j * patch
          exchange(images + ((<usize>pixel) << 2), cut, bytes, inverse)
        }
      }
    }
  }
}

/** Rows `first` to `first + count` of y = x^T, x [rows, columns]. */
export function transpose(first: i32, count: i32, x: usize, y: usize, rows: i32, columns: i32): void {
  for (let c = 0; c < count; c++) {
    let from = x + ((<usize>(first + c)) << 2)
    for (let r = 0; r < rows; r++, y += 4, from += (<usize>columns) << 2) store<f32>(y, load<f32>(from))
  }
}
