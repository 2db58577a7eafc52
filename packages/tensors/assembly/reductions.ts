/** Sums over all elements, in double precision: each part adds to its own number. */
import { loadPart, storePart } from "./simd"

/** Adds the four lanes to two doubles. */
export function addDoubles(sum: v128, x: v128): v128 {
  const high = v128.shuffle<f32>(x, x, 2, 3, 2, 3)
  return f64x2.add(sum, f64x2.add(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(high)))
}

function addSquares(sum: v128, x: v128): v128 {
  const low = f64x2.promote_low_f32x4(x)
  const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3))
  return f64x2.add(sum, f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high)))
}

function put(total: usize, s0: v128, s1: v128): void {
  const sum = f64x2.add(s0, s1)
  store<f64>(total, load<f64>(total) + (f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)))
}

/** total += sum of x */
export function sum(_first: i32, count: i32, x: usize, total: usize): void {
  let s0 = f64x2.splat(0)
  let s1 = s0
  let i = 0
  for (; i + 8 <= count; i += 8, x += 32) {
    s0 = addDoubles(s0, v128.load(x))
    s1 = addDoubles(s1, v128.load(x, 16))
  }
  for (; i + 4 <= count; i += 4, x += 16) s0 = addDoubles(s0, v128.load(x))
  if (i < count) s1 = addDoubles(s1, loadPart(x, count - i))
  put(total, s0, s1)
}

/** total += sum of x^2, read in four places at once: chains of sums overlap, and memory is read faster than in one place. */
export function sumSquares(_first: i32, count: i32, x: usize, total: usize): void {
  let s0 = f64x2.splat(0)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  const apart = (<usize>(count >> 4)) << 4
  const end = x + apart
  for (; x < end; x += 16) {
    s0 = addSquares(s0, v128.load(x))
    s1 = addSquares(s1, v128.load(x + apart))
    s2 = addSquares(s2, v128.load(x + 2 * apart))
    s3 = addSquares(s3, v128.load(x + 3 * apart))
  }
  x += 3 * apart
  let rest = count & 15
  for (; rest >= 4; rest -= 4, x += 16) s0 = addSquares(s0, v128.load(x))
  if (rest) s1 = addSquares(s1, loadPart(x, rest))
  put(total, f64x2.add(s0, s2), f64x2.add(s1, s3))
}

/** total += sum of weight (a - b)^2; a weight of 0 as pointer stands for 1 everywhere. */
export function squaredError(_first: i32, count: i32, a: usize, b: usize, weight: usize, total: usize): void {
  let s0 = f64x2.splat(0)
  let i = 0
  for (; i + 4 <= count; i += 4, a += 16, b += 16) {
    const d = f32x4.sub(v128.load(a), v128.load(b))
    if (weight) {
      s0 = addDoubles(s0, f32x4.mul(f32x4.mul(d, d), v128.load(weight)))
      weight += 16
    } else s0 = addSquares(s0, d)
  }
  if (i < count) {
    const rest = count - i
    const d = f32x4.sub(loadPart(a, rest), loadPart(b, rest))
    if (weight) s0 = addDoubles(s0, f32x4.mul(f32x4.mul(d, d), loadPart(weight, rest)))
    else s0 = addSquares(s0, d)
  }
  put(total, s0, f64x2.splat(0))
}

/** da = factor dloss weight (a - b) */
export function squaredErrorGradient(
  _first: i32,
  count: i32,
  a: usize,
  b: usize,
  weight: usize,
  dloss: usize,
  da: usize,
  factor: f32
): void {
  const slope = f32x4.splat(factor * load<f32>(dloss))
  const end = da + ((<usize>(count & ~3)) << 2)
  for (; da < end; da += 16, a += 16, b += 16) {
    let value = f32x4.mul(slope, f32x4.sub(v128.load(a), v128.load(b)))
    if (weight) {
      value = f32x4.mul(value, v128.load(weight))
      weight += 16
    }
    v128.store(da, value)
  }
  const rest = count & 3
  if (rest) {
    let value = f32x4.mul(slope, f32x4.sub(loadPart(a, rest), loadPart(b, rest)))
    if (weight) value = f32x4.mul(value, loadPart(weight, rest))
    storePart(da, value, rest)
  }
}

/** y = factor (sum of the parts' doubles, in order), and what y held before when `add`. */
export function addTotals(
  _first: i32,
  _count: i32,
  parts: i32,
  bytes: i32,
  sums: usize,
  y: usize,
  factor: f64,
  add: i32
): void {
  let total: f64 = 0
  for (let part = 0; part < parts; part++) total += load<f64>(sums + <usize>part * <usize>bytes)
  total *= factor
  store<f32>(y, <f32>(add ? <f64>load<f32>(y) + total : total))
}

/** norm = sqrt(total), factor = min(1, most / (norm + 1e-6)), or -1: where norm or loss are not finite, or `before` is negative. */
export function clipFactor(
  _first: i32,
  _count: i32,
  total: usize,
  loss: usize,
  before: usize,
  factor: usize,
  norm: usize,
  most: f64
): void {
  const length = sqrt<f64>(<f64>load<f32>(total))
  const held =
    !isFinite<f64>(length) || (loss !== 0 && !isFinite<f32>(load<f32>(loss))) || (before !== 0 && load<f32>(before) < 0)
  store<f32>(factor, held ? -1 : <f32>min<f64>(1, most / (length + 1e-6)))
  store<f32>(norm, <f32>length)
}
