/**
 * AdaRound (docs/method.md, "AdaRound"): h(alpha) = clamp(range sigmoid(alpha) + gamma, 0, 1). Weights [N, K] in groups
 * of consecutive columns; entries run over groups, or over elements where there are no scales.
 */
import { log, sigmoid } from "./math"
import { loadPart, storePart } from "./simd"

/**
 * The stretch of the sigmoid, adaroundStretch in TypeScript: h runs over `range` from gamma to zeta = 1.1 before it is clamped.
 * As gamma and zeta lie alike around 1/2, 2 h - 1 = range (2 sigmoid(alpha) - 1).
 */
const gamma: f32 = -0.1
export const range: f32 = 1.2

/** range s + gamma, before it is clamped. */
function stretched(s: v128): v128 {
  return f32x4.add(f32x4.mul(s, f32x4.splat(range)), f32x4.splat(gamma))
}

/** h(alpha) of s = sigmoid(alpha), how far a weight is rounded up from floor. */
export function softUp(s: v128): v128 {
  return f32x4.pmin(f32x4.pmax(stretched(s), f32x4.splat(0)), f32x4.splat(1))
}

/** dh/dalpha = range s (1 - s) where h is not clamped, 0 elsewhere. */
export function slopeOf(s: v128): v128 {
  const x = stretched(s)
  const slope = f32x4.mul(f32x4.mul(s, f32x4.sub(f32x4.splat(1), s)), f32x4.splat(range))
  const clamped = v128.or(f32x4.lt(x, f32x4.splat(0)), f32x4.gt(x, f32x4.splat(1)))
  return v128.andnot(slope, clamped)
}

/** [alpha >= 0], the decision afterwards. */
function hardUp(alpha: v128): v128 {
  return v128.and(f32x4.splat(1), f32x4.ge(alpha, f32x4.splat(0)))
}

/** floor(w / scale) */
export function steps(w: v128, scale: v128): v128 {
  return f32x4.floor(f32x4.div(w, scale))
}

/** Whether the code lies outside of the grid. */
export function isClamped(code: v128, top: v128): v128 {
  return v128.or(f32x4.lt(code, f32x4.splat(0)), f32x4.gt(code, top))
}

/** scale (clamp(floor(w / scale) + up + zero, 0, levels) - zero) */
function quantized(w: v128, up: v128, scale: v128, zero: v128, top: v128): v128 {
  const open = f32x4.add(f32x4.add(steps(w, scale), up), zero)
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
        v128.store(y + at, quantized(v128.load(weight + at), softUp(sigmoid(v128.load(alpha + at))), scale, zero, top))
      }
    }
    if (rest) {
      const a = loadPart(alpha + at, rest)
      storePart(
        y + at,
        quantized(loadPart(weight + at, rest), hard ? hardUp(a) : softUp(sigmoid(a)), scale, zero, top),
        rest
      )
    }
    weight += bytes
    alpha += bytes
    y += bytes
  }
}

/** dy scale dh/dalpha where the code is not clamped, 0 elsewhere */
function alphaSlope(w: v128, alpha: v128, dy: v128, scale: v128, zero: v128, top: v128): v128 {
  const s = sigmoid(alpha)
  const code = f32x4.add(f32x4.add(steps(w, scale), softUp(s)), zero)
  return v128.andnot(f32x4.mul(f32x4.mul(dy, scale), slopeOf(s)), isClamped(code, top))
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

/** alpha = -ln(range / (rest - gamma) - 1), rest = w / scale - floor(w / scale) */
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
