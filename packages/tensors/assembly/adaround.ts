/**
 * AdaRound (adaround.md): h(alpha) = clamp(1.2 sigmoid(alpha) - 0.1, 0, 1). Weights [N, K] in groups of consecutive
 * columns; entries run over groups, or over elements where there are no scales.
 */
import { log, pow, sigmoid } from "./math"
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

/** How far each weight is rounded up from floor: h(alpha), or [alpha >= 0] when hard. */
function upOf(alpha: v128, hard: i32): v128 {
  if (hard) return v128.and(f32x4.splat(1), f32x4.ge(alpha, f32x4.splat(0)))
  return unit(stretched(sigmoid(alpha)))
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
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    const scale = f32x4.splat(load<f32>(scales))
    const zero = f32x4.splat(load<f32>(zeros))
    for (let i = 0; i < group; i += 4) {
      const rest = min(4, group - i)
      const whole = rest === 4
      const w = whole ? v128.load(weight) : loadPart(weight, rest)
      const a = whole ? v128.load(alpha) : loadPart(alpha, rest)
      const open = f32x4.add(f32x4.add(f32x4.floor(f32x4.div(w, scale)), upOf(a, hard)), zero)
      const code = f32x4.pmin(f32x4.pmax(open, f32x4.splat(0)), top)
      const value = f32x4.mul(scale, f32x4.sub(code, zero))
      if (whole) v128.store(y, value)
      else storePart(y, value, rest)
      const bytes = (<usize>rest) << 2
      weight += bytes
      alpha += bytes
      y += bytes
    }
  }
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
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    const scale = f32x4.splat(load<f32>(scales))
    const zero = f32x4.splat(load<f32>(zeros))
    for (let i = 0; i < group; i += 4) {
      const rest = min(4, group - i)
      const whole = rest === 4
      const w = whole ? v128.load(weight) : loadPart(weight, rest)
      const s = sigmoid(whole ? v128.load(alpha) : loadPart(alpha, rest))
      const code = f32x4.add(f32x4.add(f32x4.floor(f32x4.div(w, scale)), unit(stretched(s))), zero)
      const clamped = v128.or(f32x4.lt(code, f32x4.splat(0)), f32x4.gt(code, top))
      const slope = f32x4.mul(f32x4.mul(whole ? v128.load(dy) : loadPart(dy, rest), scale), slopeOf(s))
      const value = v128.andnot(slope, clamped)
      if (whole) v128.store(dalpha, value)
      else storePart(dalpha, value, rest)
      const bytes = (<usize>rest) << 2
      dy += bytes
      weight += bytes
      alpha += bytes
      dalpha += bytes
    }
  }
}

/** total += sum of 1 - |2 h - 1|^beta, in double precision */
export function adaroundPenalty(_first: i32, count: i32, alpha: usize, total: usize, beta: f32): void {
  let sum: f64 = 0
  for (let i = 0; i < count; i += 4, alpha += 16) {
    const rest = min(4, count - i)
    const a = rest === 4 ? v128.load(alpha) : loadPart(alpha, rest)
    const h = unit(stretched(sigmoid(a)))
    const u = f32x4.abs(f32x4.sub(f32x4.add(h, h), f32x4.splat(1)))
    const loss = f32x4.sub(f32x4.splat(1), pow(u, beta))
    sum += <f64>f32x4.extract_lane(loss, 0)
    if (rest > 1) sum += <f64>f32x4.extract_lane(loss, 1)
    if (rest > 2) sum += <f64>f32x4.extract_lane(loss, 2)
    if (rest > 3) sum += <f64>f32x4.extract_lane(loss, 3)
  }
  store<f64>(total, load<f64>(total) + sum)
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
  for (let i = 0; i < count; i += 4, alpha += 16, dalpha += 16) {
    const rest = min(4, count - i)
    const whole = rest === 4
    const s = sigmoid(whole ? v128.load(alpha) : loadPart(alpha, rest))
    const h = unit(stretched(s))
    const u = f32x4.sub(f32x4.add(h, h), f32x4.splat(1))
    const size = f32x4.abs(u)
    // sign(u), with sign(0) = 0
    const sign = v128.or(v128.and(f32x4.splat(1), f32x4.gt(size, f32x4.splat(0))), v128.and(u, f32x4.splat(-0.0)))
    const value = f32x4.mul(f32x4.mul(f32x4.mul(factor, pow(size, beta - 1)), sign), slopeOf(s))
    if (whole) v128.store(dalpha, value)
    else storePart(dalpha, value, rest)
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
    const power = pow(error, 2.4)
    total += <f64>f32x4.extract_lane(power, 0)
    if (rest > 1) total += <f64>f32x4.extract_lane(power, 1)
    if (rest > 2) total += <f64>f32x4.extract_lane(power, 2)
    if (rest > 3) total += <f64>f32x4.extract_lane(power, 3)
  }
  return total
}
