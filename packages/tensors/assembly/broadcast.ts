/** One row combined with every row of a matrix, and sums over rows, kept a part. */
import { fma, loadPart, storePart } from "./simd"

/** y[r, c] = x[r, c] + row[c] */
export function addRow(_first: i32, count: i32, x: usize, row: usize, y: usize, columns: i32): void {
  const end = (<usize>(columns & ~3)) << 2
  const rest = columns & 3
  const rowBytes = (<usize>columns) << 2
  for (let r = 0; r < count; r++, x += rowBytes, y += rowBytes) {
    let at: usize = 0
    for (; at < end; at += 16) v128.store(y + at, f32x4.add(v128.load(x + at), v128.load(row + at)))
    if (rest) storePart(y + at, f32x4.add(loadPart(x + at, rest), loadPart(row + at, rest)), rest)
  }
}

/** y = residual + x scale */
export function layerScaleAdd(
  _first: i32,
  count: i32,
  residual: usize,
  x: usize,
  scale: usize,
  y: usize,
  columns: i32
): void {
  const end = (<usize>(columns & ~3)) << 2
  const rest = columns & 3
  const rowBytes = (<usize>columns) << 2
  for (let row = 0; row < count; row++, residual += rowBytes, x += rowBytes, y += rowBytes) {
    let at: usize = 0
    for (; at < end; at += 16) {
      v128.store(y + at, fma(v128.load(x + at), v128.load(scale + at), v128.load(residual + at)))
    }
    if (rest) {
      const value = fma(loadPart(x + at, rest), loadPart(scale + at, rest), loadPart(residual + at, rest))
      storePart(y + at, value, rest)
    }
  }
}

/** dx = dy scale; adds dy x to dscale */
export function layerScaleAddGradient(
  _first: i32,
  count: i32,
  x: usize,
  scale: usize,
  dy: usize,
  dx: usize,
  dscale: usize,
  columns: i32
): void {
  const end = (<usize>(columns & ~3)) << 2
  const rest = columns & 3
  const rowBytes = (<usize>columns) << 2
  for (let row = 0; row < count; row++, x += rowBytes, dy += rowBytes, dx += rowBytes) {
    let at: usize = 0
    for (; at < end; at += 16) {
      const d = v128.load(dy + at)
      v128.store(dx + at, f32x4.mul(d, v128.load(scale + at)))
      v128.store(dscale + at, fma(d, v128.load(x + at), v128.load(dscale + at)))
    }
    if (rest) {
      const d = loadPart(dy + at, rest)
      storePart(dx + at, f32x4.mul(d, loadPart(scale + at, rest)), rest)
      storePart(dscale + at, fma(d, loadPart(x + at, rest), loadPart(dscale + at, rest)), rest)
    }
  }
}

/** Adds every row to `sums` [columns]. */
export function columnSums(_first: i32, count: i32, x: usize, sums: usize, columns: i32): void {
  const rowBytes = (<usize>columns) << 2
  const end = (<usize>(columns & ~3)) << 2
  const rest = columns & 3
  for (let row = 0; row < count; row++, x += rowBytes) {
    let at: usize = 0
    for (; at < end; at += 16) v128.store(sums + at, f32x4.add(v128.load(sums + at), v128.load(x + at)))
    if (rest) storePart(sums + at, f32x4.add(loadPart(sums + at, rest), loadPart(x + at, rest)), rest)
  }
}

/** y = sum over parts, in order, of rows of `columns` floats `bytes` apart. */
export function addParts(_first: i32, _count: i32, parts: i32, bytes: i32, sums: usize, y: usize, columns: i32): void {
  memory.fill(y, 0, (<usize>columns) << 2)
  for (let part = 0; part < parts; part++) columnSums(0, 1, sums + <usize>part * <usize>bytes, y, columns)
}
