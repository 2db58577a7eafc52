/**
 * Bilevel fake quantization in f32, fast: for groups of 4 n weights, and a number of rows that second-level groups
 * divide. A block of qq rows and as many columns as stay in the cache is read, its scales are quantized, and it is
 * written: four groups at a time in the lanes of a vector.
 */
import { decodeScale, encodeScale, originOf, stepOf } from "./bilevel"

const smallestScale: f32 = 1e-5
const smallestDivisor: f32 = 1e-9
/** Bytes of weights in a block. */
const blockBytes = 64 * 1024

/** Smallest of each group of four vectors, in lane order. */
function minAcross(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = f32x4.min(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7))
  const high = f32x4.min(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7))
  return f32x4.min(v128.shuffle<f64>(low, high, 0, 2), v128.shuffle<f64>(low, high, 1, 3))
}

function maxAcross(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = f32x4.max(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7))
  const high = f32x4.max(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7))
  return f32x4.max(v128.shuffle<f64>(low, high, 0, 2), v128.shuffle<f64>(low, high, 1, 3))
}

/** Smallest lanes of a group; NaN where one is NaN. */
function groupMin(w: usize, bytes: usize): v128 {
  let m = v128.load(w)
  for (let at: usize = 16; at < bytes; at += 16) m = f32x4.min(m, v128.load(w + at))
  return m
}

function groupMax(w: usize, bytes: usize): v128 {
  let m = v128.load(w)
  for (let at: usize = 16; at < bytes; at += 16) m = f32x4.max(m, v128.load(w + at))
  return m
}

/** First-level scales and zeros of `groups` groups of one row, stored `stride` bytes apart. */
function firstLevel(
  w: usize,
  groups: i32,
  bytes: usize,
  scales: usize,
  zeros: usize,
  stride: usize,
  levels: f32
): void {
  const top = f32x4.splat(levels)
  for (let j = 0; j < groups; j += 4) {
    const some = min(4, groups - j)
    // Past the last group the first of the four is read again.
    const w1 = some > 1 ? w + bytes : w
    const w2 = some > 2 ? w + 2 * bytes : w
    const w3 = some > 3 ? w + 3 * bytes : w
    let low = minAcross(groupMin(w, bytes), groupMin(w1, bytes), groupMin(w2, bytes), groupMin(w3, bytes))
    let high = maxAcross(groupMax(w, bytes), groupMax(w1, bytes), groupMax(w2, bytes), groupMax(w3, bytes))
    const flat = f32x4.eq(low, high)
    low = v128.bitselect(f32x4.splat(-1), low, flat)
    high = v128.bitselect(f32x4.splat(1), high, flat)
    const scale = f32x4.max(f32x4.div(f32x4.sub(high, low), top), f32x4.splat(smallestScale))
    const zero = f32x4.min(f32x4.max(f32x4.nearest(f32x4.div(f32x4.neg(low), scale)), f32x4.splat(0)), top)
    v128.store_lane<f32>(scales, scale, 0)
    v128.store_lane<f32>(zeros, zero, 0)
    if (some > 1) {
      v128.store_lane<f32>(scales + stride, scale, 1)
      v128.store_lane<f32>(zeros + stride, zero, 1)
    }
    if (some > 2) {
      v128.store_lane<f32>(scales + 2 * stride, scale, 2)
      v128.store_lane<f32>(zeros + 2 * stride, zero, 2)
    }
    if (some > 3) {
      v128.store_lane<f32>(scales + 3 * stride, scale, 3)
      v128.store_lane<f32>(zeros + 3 * stride, zero, 3)
    }
    scales += 4 * stride
    zeros += 4 * stride
    w += 4 * bytes
  }
}

/** Replaces the scales of one second-level group by those their codes stand for. */
function secondLevel(scales: usize, scaleGroup: i32, format: i32): void {
  let low: f32 = Infinity
  let high: f32 = -Infinity
  for (let i = 0; i < scaleGroup; i++) {
    const scale = load<f32>(scales + ((<usize>i) << 2))
    low = min(low, scale)
    high = max(high, scale)
  }
  const step = stepOf(low, high, format, 0)
  const origin = originOf(low, high, step, format, 0)
  for (let i = 0; i < scaleGroup; i++, scales += 4) {
    const code = encodeScale(load<f32>(scales), step, origin, low === high, format, 0)
    store<f32>(scales, decodeScale(code, step, origin, format, 0))
  }
}

/** y = scale (clamp(rne(w / scale + zero), 0, levels) - zero) for `groups` groups of one row. */
function quantize(
  w: usize,
  y: usize,
  groups: i32,
  bytes: usize,
  scales: usize,
  zeros: usize,
  stride: usize,
  levels: f32
): void {
  const top = f32x4.splat(levels)
  const nothing = f32x4.splat(0)
  for (let j = 0; j < groups; j++, scales += stride, zeros += stride) {
    const single = load<f32>(scales)
    const scale = f32x4.splat(single)
    const divisor = f32x4.splat(max(single, smallestDivisor))
    const zero = f32x4.splat(load<f32>(zeros))
    const end = w + bytes
    for (; w < end; w += 16, y += 16) {
      const q = f32x4.nearest(f32x4.add(f32x4.div(v128.load(w), divisor), zero))
      // A NaN weight makes the scale NaN, so the clamp need not carry it; pmax(0, q) turns -0 into 0.
      const code = f32x4.pmin(top, f32x4.pmax(nothing, q))
      v128.store(y, f32x4.mul(scale, f32x4.sub(code, zero)))
    }
  }
}

/** Rows `first` to `first + count` (a multiple of qq) of y, with their columns of scales and zeros [K / g, N]. */
export function bilevelBlocks(
  first: i32,
  count: i32,
  weight: usize,
  y: usize,
  scales: usize,
  zeros: usize,
  rows: i32,
  columns: i32,
  group: i32,
  scaleGroup: i32,
  levels: f32,
  format: i32
): void {
  const groups = columns / group
  const rowBytes = (<usize>columns) << 2
  const groupBytes = (<usize>group) << 2
  const stride = (<usize>rows) << 2
  const wide = max(4, (blockBytes / (scaleGroup * group * 4)) & ~3)
  for (let o = first; o < first + count; o += scaleGroup) {
    for (let j = 0; j < groups; j += wide) {
      const some = min(wide, groups - j)
      const at = <usize>j * groupBytes
      const corner = (<usize>j * <usize>rows + <usize>o) << 2
      for (let i = 0; i < scaleGroup; i++) {
        const own = corner + ((<usize>i) << 2)
        firstLevel(weight + <usize>i * rowBytes + at, some, groupBytes, scales + own, zeros + own, stride, levels)
      }
      for (let k = 0; k < some; k++) secondLevel(scales + corner + <usize>k * stride, scaleGroup, format)
      for (let i = 0; i < scaleGroup; i++) {
        const own = corner + ((<usize>i) << 2)
        const row = <usize>i * rowBytes + at
        quantize(weight + row, y + row, some, groupBytes, scales + own, zeros + own, stride, levels)
      }
    }
    weight += <usize>scaleGroup * rowBytes
    y += <usize>scaleGroup * rowBytes
  }
}
