/** Softmax over rows of `columns`, and its gradient. */
import { expNegative } from "./math"
import { fma, loadPart, maxLanes, storePart, sumLanes } from "./simd"

/** Largest of `count` floats; NaN may be passed over: the exponentials carry it. -infinity for none. */
export function rowMax(x: usize, count: i32): f32 {
  let m0 = f32x4.splat(-Infinity)
  let m1 = m0
  let i = 0
  for (; i + 8 <= count; i += 8, x += 32) {
    m0 = f32x4.pmax(m0, v128.load(x))
    m1 = f32x4.pmax(m1, v128.load(x, 16))
  }
  let most = maxLanes(f32x4.pmax(m0, m1))
  for (; i < count; i++, x += 4) {
    const value = load<f32>(x)
    if (value > most) most = value
  }
  return most
}

/** y = exp(factor x - shift) over `count` floats; returns the sum. */
export function expRow(x: usize, y: usize, count: i32, factor: f32, shift: f32): f32 {
  const f = f32x4.splat(factor)
  const s = f32x4.splat(-shift)
  let sum = f32x4.splat(0)
  const end = y + ((<usize>(count & ~3)) << 2)
  for (; y < end; y += 16, x += 16) {
    const e = expNegative(fma(v128.load(x), f, s))
    v128.store(y, e)
    sum = f32x4.add(sum, e)
  }
  const rest = count & 3
  let total = sumLanes(sum)
  if (rest) {
    const e = expNegative(fma(loadPart(x, rest), f, s))
    storePart(y, e, rest)
    total += f32x4.extract_lane(e, 0)
    if (rest > 1) total += f32x4.extract_lane(e, 1)
    if (rest > 2) total += f32x4.extract_lane(e, 2)
  }
  return total
}

/** y *= factor over `count` floats. */
export function scaleRow(y: usize, count: i32, factor: f32): void {
  const f = f32x4.splat(factor)
  const end = y + ((<usize>(count & ~3)) << 2)
  for (; y < end; y += 16) v128.store(y, f32x4.mul(v128.load(y), f))
  for (let i = 0; i < (count & 3); i++, y += 4) store<f32>(y, load<f32>(y) * factor)
}

/** y = exp(x - max) / sum of exp(x - max) */
export function softmax(_first: i32, count: i32, x: usize, y: usize, columns: i32): void {
  const rowBytes = (<usize>columns) << 2
  for (let row = 0; row < count; row++, x += rowBytes, y += rowBytes) {
    const sum = expRow(x, y, columns, 1, rowMax(x, columns))
    scaleRow(y, columns, <f32>1 / sum)
  }
}

/** dx = y (dy - sum of y dy) */
export function softmaxGradient(_first: i32, count: i32, y: usize, dy: usize, dx: usize, columns: i32): void {
  const rowBytes = (<usize>columns) << 2
  const end = (<usize>(columns & ~3)) << 2
  const rest = columns & 3
  for (let row = 0; row < count; row++, y += rowBytes, dy += rowBytes, dx += rowBytes) {
    let sum = f32x4.splat(0)
    let at: usize = 0
    for (; at < end; at += 16) sum = fma(v128.load(y + at), v128.load(dy + at), sum)
    if (rest) sum = fma(loadPart(y + at, rest), loadPart(dy + at, rest), sum)
    const inner = f32x4.splat(sumLanes(sum))
    for (at = 0; at < end; at += 16) {
      v128.store(dx + at, f32x4.mul(v128.load(y + at), f32x4.sub(v128.load(dy + at), inner)))
    }
    if (rest) storePart(dx + at, f32x4.mul(loadPart(y + at, rest), f32x4.sub(loadPart(dy + at, rest), inner)), rest)
  }
}
