/**
 * Bilevel fake quantization (docs/method.md, "Bilevel quantizer"), bit for bit as its definition in f32: every
 * operation is rounded by itself, so nothing here is fused. Weights [N, K]; scales and zeros [K / g, N], a second-level
 * group is qq consecutive scales. This file has the general bodies, group by group; bilevelBlocks.ts the fast one.
 */
import { roundToBfloat16, roundToHalf } from "./cast"
import { loadBytes } from "./storage"

/** Second-level formats. */
export const formatHalf = 0
export const formatExact = 1
export const formatReference = 2

const smallestScale: f32 = 1e-5
/** Least scale that weights are divided by. */
export const smallestDivisor: f32 = 1e-9

/** Rounds to the format of the arithmetic. */
function fit(x: f32, coarse: i32): f32 {
  return coarse ? roundToBfloat16(x) : x
}

function clamp(x: f32, most: f32): f32 {
  return min(max(x, <f32>0), most)
}

/** Step of a second-level group from its smallest and largest scale. */
export function stepOf(low: f32, high: f32, format: i32, coarse: i32): f32 {
  if (format === formatHalf) return roundToHalf(max(fit(fit(high - low, coarse) / 15, coarse), smallestScale))
  if (low === high) {
    if (format === formatExact) return low
    low = -1
    high = 1
  }
  return max(fit(fit(high - low, coarse) / 15, coarse), smallestScale)
}

/** Origin of a second-level group. */
export function originOf(low: f32, high: f32, step: f32, format: i32, coarse: i32): f32 {
  if (format === formatHalf) return roundToHalf(low)
  if (low === high) return format === formatExact ? -1 : fit(<f32>1 / step, coarse)
  return fit(-low / step, coarse)
}

/** Code of a scale. `common`: all scales of the group are equal and kept exactly, as code 0. */
export function encodeScale(scale: f32, step: f32, origin: f32, common: bool, format: i32, coarse: i32): f32 {
  if (format === formatHalf) return clamp(nearest(fit(fit(scale - origin, coarse) / step, coarse)), 15)
  if (common && format === formatExact) return 0
  return clamp(nearest(fit(fit(scale / max(step, smallestDivisor), coarse) + origin, coarse)), 15)
}

/** The scale that a code stands for. */
export function decodeScale(code: f32, step: f32, origin: f32, format: i32, coarse: i32): f32 {
  if (format === formatHalf) return fit(origin + fit(step * code, coarse), coarse)
  return fit(step * fit(code - origin, coarse), coarse)
}

/** Scale of a group of weights before the second level. */
function scaleOf(w: usize, group: i32, levels: f32, coarse: i32): f32 {
  let low: f32 = Infinity
  let high: f32 = -Infinity
  for (let i = 0; i < group; i++) {
    const value = fit(load<f32>(w + ((<usize>i) << 2)), coarse)
    low = min(low, value)
    high = max(high, value)
  }
  if (low === high) {
    low = -1
    high = 1
  }
  return max(fit(fit(high - low, coarse) / levels, coarse), smallestScale)
}

/** Zero point of a group with that scale. */
function zeroOf(w: usize, group: i32, scale: f32, levels: f32, coarse: i32): f32 {
  let low: f32 = Infinity
  let high: f32 = -Infinity
  for (let i = 0; i < group; i++) {
    const value = fit(load<f32>(w + ((<usize>i) << 2)), coarse)
    low = min(low, value)
    high = max(high, value)
  }
  if (low === high) low = -1
  return clamp(nearest(fit(-low / scale, coarse)), levels)
}

/** Code of a weight. */
export function encodeWeight(w: f32, scale: f32, zero: f32, levels: f32, coarse: i32): f32 {
  return clamp(nearest(fit(fit(fit(w, coarse) / max(scale, smallestDivisor), coarse) + zero, coarse)), levels)
}

/** The weight that a code stands for. */
export function decodeWeight(code: f32, scale: f32, zero: f32, coarse: i32): f32 {
  return fit(scale * fit(code - zero, coarse), coarse)
}

/**
 * Second-level groups `first` to `first + count`. With `codes`: writes codes [N, K], zeros and scaleCodes [K / g, N] as
 * bytes, step and origin; else y [N, K], scale and zero [K / g, N] as f32.
 */
export function bilevelGroups(
  first: i32,
  count: i32,
  weight: usize,
  values: usize,
  scales: usize,
  zeros: usize,
  steps: usize,
  origins: usize,
  rows: i32,
  columns: i32,
  group: i32,
  scaleGroup: i32,
  levels: f32,
  format: i32,
  coarse: i32,
  codes: i32
): void {
  for (let index = first; index < first + count; index++) {
    const start = index * scaleGroup
    let low: f32 = Infinity
    let high: f32 = -Infinity
    for (let row = start; row < start + scaleGroup; row++) {
      const scale = scaleOf(weight + (startOf(row, rows, columns, group) << 2), group, levels, coarse)
      low = min(low, scale)
      high = max(high, scale)
    }
    const step = stepOf(low, high, format, coarse)
    const origin = originOf(low, high, step, format, coarse)
    if (codes) {
      store<f32>(steps + ((<usize>index) << 2), step)
      store<f32>(origins + ((<usize>index) << 2), origin)
    }
    for (let row = start; row < start + scaleGroup; row++) {
      const at = startOf(row, rows, columns, group)
      const w = weight + (at << 2)
      const own = scaleOf(w, group, levels, coarse)
      const zero = zeroOf(w, group, own, levels, coarse)
      const code = encodeScale(own, step, origin, low === high, format, coarse)
      const scale = decodeScale(code, step, origin, format, coarse)
      if (codes) {
        store<u8>(scales + <usize>row, <u8>code)
        store<u8>(zeros + <usize>row, <u8>zero)
        for (let i = 0; i < group; i++) {
          store<u8>(
            values + at + <usize>i,
            <u8>encodeWeight(load<f32>(w + ((<usize>i) << 2)), scale, zero, levels, coarse)
          )
        }
      } else {
        store<f32>(scales + ((<usize>row) << 2), scale)
        store<f32>(zeros + ((<usize>row) << 2), zero)
        for (let i = 0; i < group; i++) {
          const q = encodeWeight(load<f32>(w + ((<usize>i) << 2)), scale, zero, levels, coarse)
          store<f32>(values + ((at + <usize>i) << 2), decodeWeight(q, scale, zero, coarse))
        }
      }
    }
  }
}

/** First element of group row r = j N + o. */
export function startOf(row: i32, rows: i32, columns: i32, group: i32): usize {
  return <usize>(row % rows) * <usize>columns + <usize>(row / rows) * <usize>group
}

/** Rows of y from codes. */
export function bilevelDecode(
  first: i32,
  count: i32,
  codes: usize,
  zeros: usize,
  scaleCodes: usize,
  steps: usize,
  origins: usize,
  y: usize,
  rows: i32,
  columns: i32,
  group: i32,
  scaleGroup: i32,
  format: i32,
  coarse: i32
): void {
  const whole = coarse ? 0 : group & ~3
  for (let o = first; o < first + count; o++) {
    for (let j = 0; j < columns / group; j++) {
      const row = j * rows + o
      const member = (<usize>(row / scaleGroup)) << 2
      const code = <f32>load<u8>(scaleCodes + <usize>row)
      const scale = decodeScale(code, load<f32>(steps + member), load<f32>(origins + member), format, coarse)
      const zero = <f32>load<u8>(zeros + <usize>row)
      let i = 0
      for (; i < whole; i += 4, codes += 4, y += 16) {
        const code = f32x4.convert_i32x4_s(loadBytes(codes))
        v128.store(y, f32x4.mul(f32x4.splat(scale), f32x4.sub(code, f32x4.splat(zero))))
      }
      for (; i < group; i++, codes++, y += 4) {
        store<f32>(y, decodeWeight(<f32>load<u8>(codes), scale, zero, coarse))
      }
    }
  }
}

/** Rows of dweight = dy where -scale zero <= w <= scale (levels - zero), 0 elsewhere. */
export function bilevelGradient(
  first: i32,
  count: i32,
  dy: usize,
  weight: usize,
  scales: usize,
  zeros: usize,
  dweight: usize,
  rows: i32,
  columns: i32,
  group: i32,
  levels: f32,
  coarse: i32
): void {
  const whole = coarse ? 0 : group & ~3
  for (let o = first; o < first + count; o++) {
    for (let j = 0; j < columns / group; j++) {
      const row = (<usize>(j * rows + o)) << 2
      const scale = load<f32>(scales + row)
      const zero = load<f32>(zeros + row)
      const low = fit(-fit(scale * zero, coarse), coarse)
      const high = fit(scale * (levels - zero), coarse)
      const from = f32x4.splat(low)
      const to = f32x4.splat(high)
      let i = 0
      for (; i < whole; i += 4, dy += 16, weight += 16, dweight += 16) {
        const w = v128.load(weight)
        const inside = v128.and(f32x4.ge(w, from), f32x4.le(w, to))
        v128.store(dweight, v128.and(v128.load(dy), inside))
      }
      for (; i < group; i++, dy += 4, weight += 4, dweight += 4) {
        const w = fit(load<f32>(weight), coarse)
        store<f32>(dweight, w >= low && w <= high ? load<f32>(dy) : 0)
      }
    }
  }
}
