/** AdaRound's rounding penalty: 1 - |u|^beta with u = 2 h(alpha) - 1, and its gradient. Entries run over elements. */
import { slopeOf, stretched, unit } from "./adaround"
import { exp, log, sigmoid } from "./math"
import { addDoubles } from "./reductions"
import { loadPart, storePart } from "./simd"

/**
 * Elements that take the steps one after the other, from the cache: sigmoid, logarithm and exponential in one loop are a
 * chain so long that the processor cannot overlap its rounds.
 */
const block = 1024

/** u = 2 h - 1, in [-1, 1] */
function distanceOf(s: v128): v128 {
  const h = unit(stretched(s))
  return f32x4.sub(f32x4.add(h, h), f32x4.splat(1))
}

/** x^exponent in place, for x in [0, 1]: the logarithm of 0 is -88 here, whose power is 0 as well. */
function raise(x: usize, count: i32, exponent: f32): void {
  const e = f32x4.splat(exponent)
  const end = x + ((<usize>count) << 2)
  do {
    v128.store(x, exp(f32x4.mul(log(v128.load(x)), e)))
    x += 16
  } while (x < end)
}

/** |u| of `count` elements, and ones up to the next four. */
function distances(alpha: usize, count: i32, sizes: usize): void {
  const end = alpha + ((<usize>(count & ~3)) << 2)
  for (; alpha < end; alpha += 16, sizes += 16) v128.store(sizes, f32x4.abs(distanceOf(sigmoid(v128.load(alpha)))))
  const rest = count & 3
  if (!rest) return
  v128.store(sizes, f32x4.splat(1))
  storePart(sizes, f32x4.abs(distanceOf(sigmoid(loadPart(alpha, rest)))), rest)
}

/** total += sum of 1 - |u|^beta, in double precision */
export function adaroundPenalty(_first: i32, count: i32, scratch: usize, alpha: usize, total: usize, beta: f32): void {
  let sum = f64x2.splat(0)
  for (let at = 0; at < count; at += block) {
    const some = min(block, count - at)
    distances(alpha + ((<usize>at) << 2), some, scratch)
    raise(scratch, some, beta)
    const end = scratch + ((<usize>some) << 2)
    for (let p = scratch; p < end; p += 16) {
      sum = addDoubles(sum, f32x4.sub(f32x4.splat(1), v128.load(p)))
    }
  }
  store<f64>(total, load<f64>(total) + (f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)))
}

/** sign(u) dh/dalpha */
function signedSlope(s: v128, u: v128): v128 {
  const slope = v128.xor(slopeOf(s), v128.and(u, f32x4.splat(-0.0)))
  return v128.and(slope, f32x4.ne(u, f32x4.splat(0)))
}

/** |u|, and sign(u) dh/dalpha, of `count` elements. */
function slopes(alpha: usize, count: i32, sizes: usize, slopes: usize): void {
  const end = alpha + ((<usize>(count & ~3)) << 2)
  for (; alpha < end; alpha += 16, sizes += 16, slopes += 16) {
    const s = sigmoid(v128.load(alpha))
    const u = distanceOf(s)
    v128.store(sizes, f32x4.abs(u))
    v128.store(slopes, signedSlope(s, u))
  }
  const rest = count & 3
  if (!rest) return
  const s = sigmoid(loadPart(alpha, rest))
  const u = distanceOf(s)
  v128.store(sizes, f32x4.abs(u))
  storePart(slopes, signedSlope(s, u), rest)
}

/** dalpha = -dloss lambda beta |u|^(beta - 1) sign(u) 2 dh/dalpha */
export function adaroundPenaltyGradient(
  _first: i32,
  count: i32,
  scratch: usize,
  alpha: usize,
  dloss: usize,
  dalpha: usize,
  beta: f32,
  lambda: f32
): void {
  const factor = f32x4.splat(load<f32>(dloss) * lambda * beta * -2)
  for (let at = 0; at < count; at += block) {
    const some = min(block, count - at)
    const start = (<usize>at) << 2
    slopes(alpha + start, some, scratch, dalpha + start)
    raise(scratch, some, beta - 1)
    let p = scratch
    let y = dalpha + start
    const end = y + ((<usize>(some & ~3)) << 2)
    for (; y < end; y += 16, p += 16) v128.store(y, f32x4.mul(f32x4.mul(factor, v128.load(p)), v128.load(y)))
    const rest = some & 3
    if (rest) storePart(y, f32x4.mul(f32x4.mul(factor, v128.load(p)), loadPart(y, rest)), rest)
  }
}
