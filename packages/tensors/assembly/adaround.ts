/**
 * AdaRound (adaround.md): h(alpha) = clamp(1.2 sigmoid(alpha) - 0.1, 0, 1). Weights [N, K] in groups of consecutive
 * columns; entries run over groups, or over elements where there are no scales.
 */
import { log, pow, sigmoid } from "./math"
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

/** 1 - |2 h - 1|^beta */
function penaltyOf(alpha: v128, beta: v128): v128 {
  const h = unit(stretched(sigmoid(alpha)))
  return f32x4.sub(f32x4.splat(1), pow(f32x4.abs(f32x4.sub(f32x4.add(h, h), f32x4.splat(1))), beta))
}

/** total += sum of 1 - |2 h - 1|^beta, in double precision */
export function adaroundPenalty(_first: i32, count: i32, alpha: usize, total: usize, beta: f32): void {
  const exponent = f32x4.splat(beta)
  let sum = f64x2.splat(0)
  let i = 0
  for (; i + 4 <= count; i += 4, alpha += 16) sum = addDoubles(sum, penaltyOf(v128.load(alpha), exponent))
  let rest: f64 = f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)
  for (; i < count; i++, alpha += 4) rest += <f64>f32x4.extract_lane(penaltyOf(v128.load32_zero(alpha), exponent), 0)
  store<f64>(total, load<f64>(total) + rest)
}

/** factor |u|^power sign(u) dh/dalpha, u = 2 h - 1 */
function penaltySlope(alpha: v128, factor: v128, power: f32): v128 {
  const s = sigmoid(alpha)
  const h = unit(stretched(s))
  const u = f32x4.sub(f32x4.add(h, h), f32x4.splat(1))
  const size = f32x4.abs(u)
  const sign = v128.andnot(u, size)
  // u^0 is 1, and sign(0) is 0.
  const raised = power > 0 ? pow(size, f32x4.splat(power)) : v128.and(f32x4.splat(1), f32x4.gt(size, f32x4.splat(0)))
  return f32x4.mul(f32x4.mul(factor, v128.or(raised, sign)), slopeOf(s))
}

/** With u = 2 h - 1: dalpha = -dloss lambda beta |u|^(beta - 1) sign(u) 2 dh/dalpha */
export function adaroundPenaltyGradient(
  _first: i32,
  count: i32,
  alpha: usize,
  dloss: usize,
  dalpha: usize,
  beta: f32,
  lambda: f32
): void {
  const factor = f32x4.splat(load<f32>(dloss) * lambda * beta * -2)
  const end = dalpha + ((<usize>(count & ~3)) << 2)
  for (; dalpha < end; dalpha += 16, alpha += 16) {
    v128.store(dalpha, penaltySlope(v128.load(alpha), factor, beta - 1))
  }
  const rest = count & 3
  if (rest) storePart(dalpha, penaltySlope(loadPart(alpha, rest), factor, beta - 1), rest)
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

/** Scale and zero point of each group: by its range (`search` 0), or the best of 80 shrinks by mean |w - q|^2.4. */
export function adaroundScales(
  _first: i32,
  count: i32,
  weight: usize,
  scales: usize,
  zeros: usize,
  group: i32,
  levels: f32,
  search: i32
): void {
  const bytes = (<usize>group) << 2
  const smallest: f32 = 1e-8
  for (let index = 0; index < count; index++, weight += bytes, scales += 4, zeros += 4) {
    let low: f32 = Infinity
    let high: f32 = -Infinity
    for (let at: usize = 0; at < bytes; at += 4) {
      low = min(low, load<f32>(weight + at))
      high = max(high, load<f32>(weight + at))
    }
    if (!search) {
      low = min(low, <f32>0)
      const scale = max((max(high, <f32>0) - low) / levels, smallest)
      store<f32>(scales, scale)
      store<f32>(zeros, nearest(-low / scale))
      continue
    }
    let best: f64 = Infinity
    for (let k = 0; k < 80; k++) {
      const factor = <f32>(1 - 0.01 * <f64>k)
      const shrunk = low * factor
      const delta = max((high * factor - shrunk) / levels, smallest)
      const zero = nearest(-shrunk / delta)
      const candidate = score(weight, group, delta, zero, levels)
      if (candidate < best) {
        best = candidate
        store<f32>(scales, delta)
        store<f32>(zeros, zero)
      }
    }
  }
}

/** Sum of |w - q|^2.4 over a group. */
function score(weight: usize, group: i32, delta: f32, zero: f32, levels: f32): f64 {
  const d = f32x4.splat(delta)
  const z = f32x4.splat(zero)
  const top = f32x4.splat(levels)
  let total: f64 = 0
  for (let i = 0; i < group; i += 4, weight += 16) {
    const rest = min(4, group - i)
    const w = rest === 4 ? v128.load(weight) : loadPart(weight, rest)
    const open = f32x4.add(f32x4.nearest(f32x4.div(w, d)), z)
    const code = f32x4.pmin(f32x4.pmax(open, f32x4.splat(0)), top)
    const error = f32x4.abs(f32x4.sub(w, f32x4.mul(f32x4.sub(code, z), d)))
    const power = pow(error, f32x4.splat(2.4))
    total += <f64>f32x4.extract_lane(power, 0)
    if (rest > 1) total += <f64>f32x4.extract_lane(power, 1)
    if (rest > 2) total += <f64>f32x4.extract_lane(power, 2)
    if (rest > 3) total += <f64>f32x4.extract_lane(power, 3)
  }
  return total
}
