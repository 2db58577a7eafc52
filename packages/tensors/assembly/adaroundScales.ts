/**
 * Scales and zero points before AdaRound (docs/method.md, "Scales before rounding"): by the range, or the best of 80
 * shrunk ranges by the sum of |w - q|^2.4 over the group. Four shrinks are scored at a time, one in each lane.
 */
import { largest, smallest } from "./extremes"
import { fma } from "./simd"

const shrinks = 80
const smallestScale: f32 = 1e-8

/** Factors 1 - k / 100 of the shrinks k to k + 3, computed in double precision and rounded. */
function factorsFrom(k: i32): v128 {
  const first = f64x2.add(f64x2.splat(<f64>k), f64x2(0, 1))
  const low = f64x2.sub(f64x2.splat(1), f64x2.mul(f64x2.splat(0.01), first))
  const second = f64x2.add(first, f64x2.splat(2))
  const high = f64x2.sub(f64x2.splat(1), f64x2.mul(f64x2.splat(0.01), second))
  return v128.shuffle<f32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5)
}

/**
 * sum + |e|^2.4 with y = e^2 (relative error 1e-7): r is y^(-1/5) within 3 % by the exponent and fraction bits taken as
 * a logarithm; with t = y r^5 - 1, y^(6/5) = (y r^2)^2 (1 + t)^(-4/5), the last a minimax polynomial in t.
 */
function addPower(sum: v128, e: v128): v128 {
  const y = f32x4.mul(e, e)
  // The sum lies in [2^23, 2^24), where an f32 holds a whole number in its low bits.
  const logarithm = f32x4.convert_i32x4_s(i32x4.shr_u(y, 9))
  const r = i32x4.shl(fma(logarithm, f32x4.splat(-0.2), f32x4.splat(10884507.0)), 9)
  const r2 = f32x4.mul(r, r)
  const root = f32x4.mul(y, r2)
  const t = fma(f32x4.mul(root, r2), r, f32x4.splat(-1))
  let p = fma(t, f32x4.splat(0.6259244084358215), f32x4.splat(-0.6375452876091003))
  p = fma(p, t, f32x4.splat(0.6378234028816223))
  p = fma(p, t, f32x4.splat(-0.6717033386230469))
  p = fma(p, t, f32x4.splat(0.7200030088424683))
  p = fma(p, t, f32x4.splat(-0.8000009059906006))
  p = fma(p, t, f32x4.splat(1))
  return fma(f32x4.mul(root, root), p, sum)
}

/** Scale and zero point of each group: by its range with 0 inside it (`search` 0), or by the search over shrinks of that. */
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
  for (let index = 0; index < count; index++, weight += bytes, scales += 4, zeros += 4) {
    // With 0 inside, zero points are codes.
    const low = min(smallest(weight, group), <f32>0)
    const high = max(largest(weight, group), <f32>0)
    if (search) {
      searchRange(weight, bytes, low, high, levels, scales, zeros)
      continue
    }
    const scale = max((high - low) / levels, smallestScale)
    store<f32>(scales, scale)
    store<f32>(zeros, nearest(-low / scale))
  }
}

/** Scores of four steps: each operation on a weight is rounded by itself, as the definition has it. */
function scoresOf(weight: usize, bytes: usize, step: v128, zero: v128, top: v128): v128 {
  let sum = f32x4.splat(0)
  const end = weight + bytes
  do {
    const w = v128.load32_splat(weight)
    const open = f32x4.add(f32x4.nearest(f32x4.div(w, step)), zero)
    const code = f32x4.pmin(top, f32x4.pmax(f32x4.splat(0), open))
    sum = addPower(sum, f32x4.sub(w, f32x4.mul(f32x4.sub(code, zero), step)))
    weight += 4
  } while (weight < end)
  return sum
}

function searchRange(weight: usize, bytes: usize, low: f32, high: f32, levels: f32, scale: usize, zero: usize): void {
  const top = f32x4.splat(levels)
  let best: f32 = Infinity
  for (let k = 0; k < shrinks; k += 4) {
    const factor = factorsFrom(k)
    const shrunk = f32x4.mul(f32x4.splat(low), factor)
    const range = f32x4.sub(f32x4.mul(f32x4.splat(high), factor), shrunk)
    const steps = f32x4.pmax(f32x4.div(range, top), f32x4.splat(smallestScale))
    const points = f32x4.nearest(f32x4.div(f32x4.neg(shrunk), steps))
    const scores = scoresOf(weight, bytes, steps, points, top)
    if (!v128.any_true(f32x4.lt(scores, f32x4.splat(best)))) continue
    // Of equal scores the first one stays.
    if (f32x4.extract_lane(scores, 0) < best) {
      best = f32x4.extract_lane(scores, 0)
      v128.store_lane<f32>(scale, steps, 0)
      v128.store_lane<f32>(zero, points, 0)
    }
    if (f32x4.extract_lane(scores, 1) < best) {
      best = f32x4.extract_lane(scores, 1)
      v128.store_lane<f32>(scale, steps, 1)
      v128.store_lane<f32>(zero, points, 1)
    }
    if (f32x4.extract_lane(scores, 2) < best) {
      best = f32x4.extract_lane(scores, 2)
      v128.store_lane<f32>(scale, steps, 2)
      v128.store_lane<f32>(zero, points, 2)
    }
    if (f32x4.extract_lane(scores, 3) < best) {
      best = f32x4.extract_lane(scores, 3)
      v128.store_lane<f32>(scale, steps, 3)
      v128.store_lane<f32>(zero, points, 3)
    }
  }
}
