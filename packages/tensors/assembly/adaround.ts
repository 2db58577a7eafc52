/**
 * AdaRound (adaround.md): h(alpha) = clamp(1.2 sigmoid(alpha) - 0.1, 0, 1). Weights [N, K] in groups of consecutive
 * columns; entries run over groups, or over elements where there are no scales.
 */
import { exp, log, sigmoid } from "./math"
import { addDoubles } from "./reductions"
import { loadPart, storePart } from "./simd"

const gamma: f32 = -0.1
const range: f32 = 1.2

/** 1.2 s - 0.1 before it is clamped. */
function stretched(s: v128): v128 {
  return f32x4.add(f32x4.mul(s, f32x4.splat(range)), f32x4.splat(gamma))
}

/** Clamped to [0, 1]. */
function unit(x: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, f32x4.splat(0)), f32x4.splat(1))
}

/** dh/dalpha = 1.2 s (1 - s) where h is not clamped, 0 elsewhere. */
function slopeOf(s: v128): v128 {
  const x = stretched(s)
  const slope = f32x4.mul(f32x4.mul(s, f32x4.sub(f32x4.splat(1), s)), f32x4.splat(range))
  const clamped = v128.or(f32x4.lt(x, f32x4.splat(0)), f32x4.gt(x, f32x4.splat(1)))
  return v128.andnot(slope, clamped)
}

/** h(alpha), how far a weight is rounded up from floor. */
function softUp(alpha: v128): v128 {
  return unit(stretched(sigmoid(alpha)))
}

/** [alpha >= 0], the decision afterwards. */
function hardUp(alpha: v128): v128 {
  return v128.and(f32x4.splat(1), f32x4.ge(alpha, f32x4.splat(0)))
}

/** scale (clamp(floor(w / scale) + up + zero, 0, levels) - zero) */
function quantized(w: v128, up: v128, scale: v128, zero: v128, top: v128): v128 {
  const open = f32x4.add(f32x4.add(f32x4.floor(f32x4.div(w, scale)), up), zero)
  const code = f32x4.pmin(f32x4.pmax(open, f32x4.splat(0)), top)
  return f32x4.mul(scale, f32x4.sub(code, zero))
}

/** y = scale (clamp(floor(w / scale) + up + zero, 0, levels) - zero) */
export function adaroundWeight(
  _first: i32,
  count: i32,
  weight: usize,
  scales: usize,
  zeros: usize,
  alpha: usize,
  y: usize,
  group: i32,
  levels: f32,
  hard: i32
): void {
  const top = f32x4.splat(levels)
  const rest = group & 3
  const bytes = (<usize>group) << 2
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    const scale = f32x4.splat(load<f32>(scales))
    const zero = f32x4.splat(load<f32>(zeros))
    const end = bytes & ~15
    let at: usize = 0
    if (hard) {
      for (; at < end; at += 16) {
        v128.store(y + at, quantized(v128.load(weight + at), hardUp(v128.load(alpha + at)), scale, zero, top))
      }
    } else {
      for (; at < end; at += 16) {
        v128.store(y + at, quantized(v128.load(weight + at), softUp(v128.load(alpha + at)), scale, zero, top))
      }
    }
    if (rest) {
      const a = loadPart(alpha + at, rest)
      storePart(y + at, quantized(loadPart(weight + at, rest), hard ? hardUp(a) : softUp(a), scale, zero, top), rest)
    }
    weight += bytes
    alpha += bytes
    y += bytes
  }
}

/** dy scale dh/dalpha where the code is not clamped, 0 elsewhere */
function alphaSlope(w: v128, alpha: v128, dy: v128, scale: v128, zero: v128, top: v128): v128 {
  const s = sigmoid(alpha)
  const code = f32x4.add(f32x4.add(f32x4.floor(f32x4.div(w, scale)), unit(stretched(s))), zero)
  const clamped = v128.or(f32x4.lt(code, f32x4.splat(0)), f32x4.gt(code, top))
  return v128.andnot(f32x4.mul(f32x4.mul(dy, scale), slopeOf(s)), clamped)
}

/** dalpha = dy scale dh/dalpha where the code is not clamped, 0 elsewhere */
export function adaroundWeightGradient(
  _first: i32,
  count: i32,
  dy: usize,
  weight: usize,
  scales: usize,
  zeros: usize,
  alpha: usize,
  dalpha: usize,
  group: i32,
  levels: f32
): void {
  const top = f32x4.splat(levels)
  const rest = group & 3
  const bytes = (<usize>group) << 2
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    const scale = f32x4.splat(load<f32>(scales))
    const zero = f32x4.splat(load<f32>(zeros))
    const end = bytes & ~15
    let at: usize = 0
    for (; at < end; at += 16) {
      const d = v128.load(dy + at)
      v128.store(dalpha + at, alphaSlope(v128.load(weight + at), v128.load(alpha + at), d, scale, zero, top))
    }
    if (rest) {
      const d = loadPart(dy + at, rest)
      const value = alphaSlope(loadPart(weight + at, rest), loadPart(alpha + at, rest), d, scale, zero, top)
      storePart(dalpha + at, value, rest)
    }
    dy += bytes
    weight += bytes
    alpha += bytes
    dalpha += bytes
  }
}

/** Elements that go through the steps of the penalty together, from the cache: one step alone keeps the processor busy. */
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

/** alpha = -ln(1.2 / (rest + 0.1) - 1), rest = w / scale - floor(w / scale) */
export function adaroundInitial(_first: i32, count: i32, weight: usize, scales: usize, alpha: usize, group: i32): void {
  for (let index = 0; index < count; index++, scales += 4) {
    const scale = f32x4.splat(load<f32>(scales))
    for (let i = 0; i < group; i += 4) {
      const rest = min(4, group - i)
      const whole = rest === 4
      const quotient = f32x4.div(whole ? v128.load(weight) : loadPart(weight, rest), scale)
      const fraction = f32x4.sub(quotient, f32x4.floor(quotient))
      const odds = f32x4.sub(f32x4.div(f32x4.splat(range), f32x4.sub(fraction, f32x4.splat(gamma))), f32x4.splat(1))
      const value = f32x4.neg(log(odds))
      if (whole) v128.store(alpha, value)
      else storePart(alpha, value, rest)
      const bytes = (<usize>rest) << 2
      weight += bytes
      alpha += bytes
    }
  }
}
