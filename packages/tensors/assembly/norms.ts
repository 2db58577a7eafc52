/** Layer norm and RMS norm over rows of `columns`, and their gradients with sums over rows kept a part. */
import { fma, loadPart, storePart, sumLanes } from "./simd"

/** Sum of a row, in two chains. */
function rowSum(x: usize, columns: i32): f32 {
  let s0 = f32x4.splat(0)
  let s1 = s0
  let i = 0
  for (; i + 8 <= columns; i += 8, x += 32) {
    s0 = f32x4.add(s0, v128.load(x))
    s1 = f32x4.add(s1, v128.load(x, 16))
  }
  for (; i + 4 <= columns; i += 4, x += 16) s0 = f32x4.add(s0, v128.load(x))
  if (i < columns) s1 = f32x4.add(s1, loadPart(x, columns - i))
  return sumLanes(f32x4.add(s0, s1))
}

/** Sum of (x - shift)^2 over a row. */
function rowSquares(x: usize, columns: i32, shift: f32): f32 {
  const m = f32x4.splat(shift)
  let s0 = f32x4.splat(0)
  let s1 = s0
  let i = 0
  for (; i + 8 <= columns; i += 8, x += 32) {
    const d0 = f32x4.sub(v128.load(x), m)
    const d1 = f32x4.sub(v128.load(x, 16), m)
    s0 = fma(d0, d0, s0)
    s1 = fma(d1, d1, s1)
  }
  let sum = sumLanes(f32x4.add(s0, s1))
  for (; i < columns; i++, x += 4) {
    const d = load<f32>(x) - shift
    sum += d * d
  }
  return sum
}

/** y = weight (x - mean) inverse + bias; writes mean and inverse = 1 / sqrt(variance + epsilon) of each row. */
export function layerNorm(
  _first: i32,
  count: i32,
  x: usize,
  weight: usize,
  bias: usize,
  y: usize,
  means: usize,
  inverses: usize,
  columns: i32,
  epsilon: f32
): void {
  const rowBytes = (<usize>columns) << 2
  for (let row = 0; row < count; row++, x += rowBytes, y += rowBytes, means += 4, inverses += 4) {
    const mean = rowSum(x, columns) / <f32>columns
    const inverse = <f32>1 / sqrt<f32>(rowSquares(x, columns, mean) / <f32>columns + epsilon)
    store<f32>(means, mean)
    store<f32>(inverses, inverse)
    const m = f32x4.splat(mean)
    const s = f32x4.splat(inverse)
    let at: usize = 0
    const end = (<usize>(columns & ~3)) << 2
    for (; at < end; at += 16) {
      const n = f32x4.mul(f32x4.sub(v128.load(x + at), m), s)
      v128.store(y + at, fma(n, v128.load(weight + at), v128.load(bias + at)))
    }
    const rest = columns & 3
    if (rest) {
      const n = f32x4.mul(f32x4.sub(loadPart(x + at, rest), m), s)
      storePart(y + at, fma(n, loadPart(weight + at, rest), loadPart(bias + at, rest)), rest)
    }
  }
}

/** y = weight (x inverse), inverse = 1 / sqrt(mean(x^2) + epsilon). */
export function rmsNorm(
  _first: i32,
  count: i32,
  x: usize,
  weight: usize,
  y: usize,
  inverses: usize,
  columns: i32,
  epsilon: f32
): void {
  const rowBytes = (<usize>columns) << 2
  for (let row = 0; row < count; row++, x += rowBytes, y += rowBytes, inverses += 4) {
    const inverse = <f32>1 / sqrt<f32>(rowSquares(x, columns, 0) / <f32>columns + epsilon)
    store<f32>(inverses, inverse)
    const s = f32x4.splat(inverse)
    let at: usize = 0
    const end = (<usize>(columns & ~3)) << 2
    for (; at < end; at += 16) {
      v128.store(y + at, f32x4.mul(v128.load(weight + at), f32x4.mul(v128.load(x + at), s)))
    }
    const rest = columns & 3
    if (rest) storePart(y + at, f32x4.mul(loadPart(weight + at, rest), f32x4.mul(loadPart(x + at, rest), s)), rest)
  }
}

/**
 * With n = (x - mean) inverse and g = weight dy: dx = inverse (g - mean(g) - n mean(g n)); adds dy n to dweight and dy to
 * dbias. RMS norm is the same with a mean of 0 and no mean(g): `centred` 0, means and dbias then unused.
 */
function normGradient(
  count: i32,
  x: usize,
  weight: usize,
  means: usize,
  inverses: usize,
  dy: usize,
  dx: usize,
  dweight: usize,
  dbias: usize,
  columns: i32,
  centred: bool
): void {
  const rowBytes = (<usize>columns) << 2
  const end = (<usize>(columns & ~3)) << 2
  const rest = columns & 3
  for (let row = 0; row < count; row++, x += rowBytes, dy += rowBytes, dx += rowBytes, inverses += 4) {
    const mean: f32 = centred ? load<f32>(means + ((<usize>row) << 2)) : 0
    const inverse = load<f32>(inverses)
    const m = f32x4.splat(mean)
    const s = f32x4.splat(inverse)
    let sumG = f32x4.splat(0)
    let sumGN = sumG
    let at: usize = 0
    for (; at < end; at += 16) {
      const d = v128.load(dy + at)
      const n = f32x4.mul(f32x4.sub(v128.load(x + at), m), s)
      const g = f32x4.mul(v128.load(weight + at), d)
      sumG = f32x4.add(sumG, g)
      sumGN = fma(g, n, sumGN)
      v128.store(dweight + at, fma(d, n, v128.load(dweight + at)))
      if (centred) v128.store(dbias + at, f32x4.add(d, v128.load(dbias + at)))
    }
    if (rest) {
      // Zeros beyond the end: dy = 0 there, so nothing is added.
      const d = loadPart(dy + at, rest)
      const n = f32x4.mul(f32x4.sub(loadPart(x + at, rest), m), s)
      const g = f32x4.mul(loadPart(weight + at, rest), d)
      sumG = f32x4.add(sumG, g)
      sumGN = fma(g, n, sumGN)
      storePart(dweight + at, fma(d, n, loadPart(dweight + at, rest)), rest)
      if (centred) storePart(dbias + at, f32x4.add(d, loadPart(dbias + at, rest)), rest)
    }
    const meanG = f32x4.splat(centred ? sumLanes(sumG) / <f32>columns : 0)
    const meanGN = f32x4.splat(-sumLanes(sumGN) / <f32>columns)
    for (at = 0; at < end; at += 16) {
      const n = f32x4.mul(f32x4.sub(v128.load(x + at), m), s)
      const g = f32x4.mul(v128.load(weight + at), v128.load(dy + at))
      v128.store(dx + at, f32x4.mul(fma(n, meanGN, f32x4.sub(g, meanG)), s))
    }
    if (rest) {
      const n = f32x4.mul(f32x4.sub(loadPart(x + at, rest), m), s)
      const g = f32x4.mul(loadPart(weight + at, rest), loadPart(dy + at, rest))
      storePart(dx + at, f32x4.mul(fma(n, meanGN, f32x4.sub(g, meanG)), s), rest)
    }
  }
}

export function layerNormGradient(
  _first: i32,
  count: i32,
  x: usize,
  weight: usize,
  means: usize,
  inverses: usize,
  dy: usize,
  dx: usize,
  dweight: usize,
  dbias: usize,
  columns: i32
): void {
  normGradient(count, x, weight, means, inverses, dy, dx, dweight, dbias, columns, true)
}

export function rmsNormGradient(
  _first: i32,
  count: i32,
  x: usize,
  weight: usize,
  inverses: usize,
  dy: usize,
  dx: usize,
  dweight: usize,
  columns: i32
): void {
  normGradient(count, x, weight, 0, inverses, dy, dx, dweight, 0, columns, false)
}
