/**
 * Single-level group quantization (docs/method.md, "Flat quantizers", "Embedding and head" and "Clipping search") in
 * f32, every operation rounded by itself. Weights [N, K] in groups of consecutive columns, so [N K / g] groups one
 * after the other; entries run over groups.
 */
import { largest, poison, smallest } from "./extremes"
import { addDoubles } from "./reductions"
import { loadPart, storePart } from "./simd"

/** Kinds of rounding: of the sum with the zero point; of the quotient, halves to even; of the quotient, halves away. */
const roundSum = 0
const roundNearest = 1

const smallestRange: f32 = 1e-5
const smallestDivisor: f32 = 1e-9

function roundHalfAway(x: v128): v128 {
  const whole = f32x4.floor(f32x4.add(f32x4.abs(x), f32x4.splat(0.5)))
  return v128.or(whole, v128.and(x, f32x4.splat(-0.0)))
}

/** Codes of weights before they are clamped; the sum with +0 has no -0. */
function openCodes(w: v128, divisor: v128, zero: v128, rounding: i32): v128 {
  const steps = f32x4.div(w, divisor)
  if (rounding === roundSum) return f32x4.add(f32x4.nearest(f32x4.add(steps, zero)), f32x4.splat(0))
  return f32x4.add(rounding === roundNearest ? f32x4.nearest(steps) : roundHalfAway(steps), zero)
}

function divisorOf(scale: f32, rounding: i32): v128 {
  return f32x4.splat(rounding === roundSum ? max(scale, smallestDivisor) : scale)
}

/** x within [0, top]; NaN stays NaN. */
function clamped(x: v128, top: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, f32x4.splat(0)), top)
}

export function uniformGroups(
  _first: i32,
  count: i32,
  weight: usize,
  y: usize,
  scales: usize,
  zeros: usize,
  group: i32,
  levels: f32,
  symmetric: i32,
  rounding: i32,
  roundZero: i32
): void {
  const top = f32x4.splat(levels)
  const rest = group & 3
  const bytes = (<usize>group) << 2
  const end = bytes & ~15
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    let low = smallest(weight, group)
    let high = largest(weight, group)
    if (symmetric) {
      high = max(abs(low), high)
      low = -high
    }
    if (rounding === roundSum && low === high) {
      low = -1
      high = 1
    }
    // SPEED-Q bounds the scale, the flat quantizers bound the range.
    const bounded =
      rounding === roundSum ? max((high - low) / levels, smallestRange) : max(high - low, smallestRange) / levels
    const scale = bounded + poison(weight, group)
    let zero = (levels - 1) / 2
    if (!symmetric) {
      zero = -low / scale
      if (roundZero) zero = min(max(nearest(zero), <f32>0), levels)
    }
    store<f32>(scales, scale)
    store<f32>(zeros, zero)
    const s = f32x4.splat(scale)
    const z = f32x4.splat(zero)
    const divisor = divisorOf(scale, rounding)
    let at: usize = 0
    for (; at < end; at += 16) {
      const code = clamped(openCodes(v128.load(weight + at), divisor, z, rounding), top)
      v128.store(y + at, f32x4.mul(s, f32x4.sub(code, z)))
    }
    if (rest) {
      const code = clamped(openCodes(loadPart(weight + at, rest), divisor, z, rounding), top)
      storePart(y + at, f32x4.mul(s, f32x4.sub(code, z)), rest)
    }
    weight += bytes
    y += bytes
  }
}

/** Adds `gradient` to the entries of a group that equal its extreme, in equal parts. */
export function spread(target: usize, w: usize, group: i32, extreme: f32, gradient: f32): void {
  const whole = group & ~3
  const wanted = f32x4.splat(extreme)
  let counts = i32x4.splat(0)
  let i = 0
  for (; i < whole; i += 4) counts = i32x4.sub(counts, f32x4.eq(v128.load(w + ((<usize>i) << 2)), wanted))
  counts = i32x4.add(counts, v128.shuffle<i32>(counts, counts, 2, 3, 0, 1))
  let equal = i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 1)
  for (; i < group; i++) if (load<f32>(w + ((<usize>i) << 2)) === extreme) equal++
  const share = gradient / <f32>equal
  const shares = f32x4.splat(share)
  for (i = 0; i < whole; i += 4) {
    const at = (<usize>i) << 2
    const own = v128.and(shares, f32x4.eq(v128.load(w + at), wanted))
    v128.store(target + at, f32x4.add(v128.load(target + at), own))
  }
  for (; i < group; i++) {
    const at = (<usize>i) << 2
    if (load<f32>(w + at) === extreme) store<f32>(target + at, load<f32>(target + at) + share)
  }
}

/** dweight = dy inside of the range, 0 outside. */
export function uniformGradient(
  _first: i32,
  count: i32,
  dy: usize,
  weight: usize,
  scales: usize,
  zeros: usize,
  dweight: usize,
  group: i32,
  levels: f32
): void {
  const rest = group & 3
  const bytes = (<usize>group) << 2
  const end = bytes & ~15
  for (let index = 0; index < count; index++, scales += 4, zeros += 4, dy += bytes, weight += bytes, dweight += bytes) {
    const scale = load<f32>(scales)
    const zero = load<f32>(zeros)
    const from = f32x4.splat(-(scale * zero))
    const to = f32x4.splat(scale * (levels - zero))
    let at: usize = 0
    for (; at < end; at += 16) {
      const w = v128.load(weight + at)
      const inside = v128.and(f32x4.ge(w, from), f32x4.le(w, to))
      v128.store(dweight + at, v128.and(v128.load(dy + at), inside))
    }
    if (rest) {
      const w = loadPart(weight + at, rest)
      const inside = v128.and(f32x4.ge(w, from), f32x4.le(w, to))
      storePart(dweight + at, v128.and(loadPart(dy + at, rest), inside), rest)
    }
  }
}

/** Stores dy where the open code is a code, 0 elsewhere; returns dy (code - zero - [inside] w / scale). */
function passed(
  d: v128,
  w: v128,
  scale: v128,
  divisor: v128,
  zero: v128,
  top: v128,
  rounding: i32,
  target: usize
): v128 {
  const open = openCodes(w, divisor, zero, rounding)
  const inside = v128.and(f32x4.ge(open, f32x4.splat(0)), f32x4.le(open, top))
  v128.store(target, v128.and(d, inside))
  const steps = v128.and(f32x4.div(w, scale), inside)
  return f32x4.mul(d, f32x4.sub(f32x4.sub(clamped(open, top), zero), steps))
}

/** The same with the gradient of the scale, which goes to the extremes of the group; `scratch` takes four numbers. */
export function uniformRangeGradient(
  _first: i32,
  count: i32,
  scratch: usize,
  dy: usize,
  weight: usize,
  scales: usize,
  zeros: usize,
  dweight: usize,
  group: i32,
  levels: f32,
  symmetric: i32,
  rounding: i32
): void {
  const top = f32x4.splat(levels)
  const rest = group & 3
  const bytes = (<usize>group) << 2
  const end = bytes & ~15
  for (let index = 0; index < count; index++, scales += 4, zeros += 4, dy += bytes, weight += bytes, dweight += bytes) {
    const scale = v128.load32_splat(scales)
    const zero = v128.load32_splat(zeros)
    const divisor = divisorOf(load<f32>(scales), rounding)
    let sum = f64x2.splat(0)
    let at: usize = 0
    for (; at < end; at += 16) {
      const d = v128.load(dy + at)
      sum = addDoubles(sum, passed(d, v128.load(weight + at), scale, divisor, zero, top, rounding, dweight + at))
    }
    if (rest) {
      // Lanes past the end have dy = 0.
      const d = loadPart(dy + at, rest)
      sum = addDoubles(sum, passed(d, loadPart(weight + at, rest), scale, divisor, zero, top, rounding, scratch))
      storePart(dweight + at, v128.load(scratch), rest)
    }
    const share = <f32>((f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)) / <f64>levels)
    const low = smallest(weight, group)
    const high = largest(weight, group)
    if (symmetric) {
      // The range is twice the largest magnitude, whichever end has it.
      const extreme = abs(low) > high ? low : high
      if (abs(extreme) + abs(extreme) >= smallestRange) {
        spread(dweight, weight, group, extreme, <f32>2 * (extreme < 0 ? -share : share))
      }
    } else if (high - low >= smallestRange) {
      spread(dweight, weight, group, high, share)
      spread(dweight, weight, group, low, -share)
    }
  }
}
