/**
 * Bilevel quantization in f32, fast: for groups of 4 n weights, and a number of rows that second-level groups divide.
 * A block of qq rows and as many columns as stay in the cache is read, its scales are quantized in scratch, and it is
 * written, as weights or as codes. Operations are those of bilevel.ts, four at a time; a NaN makes its group NaN.
 */
import { formatExact, formatHalf, originOf, stepOf } from "./bilevel"
import { fma } from "./simd"
import { storeBytes } from "./storage"

const smallestScale: f32 = 1e-5
const smallestDivisor: f32 = 1e-9
/** Bytes of weights in a block. */
const blockBytes = 64 * 1024

/** Smallest lanes of four vectors, one a lane of the result; and largest. */
function minAcross(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = f32x4.pmin(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7))
  const high = f32x4.pmin(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7))
  return f32x4.pmin(v128.shuffle<f64>(low, high, 0, 2), v128.shuffle<f64>(low, high, 1, 3))
}

function maxAcross(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = f32x4.pmax(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7))
  const high = f32x4.pmax(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7))
  return f32x4.pmax(v128.shuffle<f64>(low, high, 0, 2), v128.shuffle<f64>(low, high, 1, 3))
}

/** 0 where all four lanes are finite, NaN elsewhere. */
function poisonAcross(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7))
  const high = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7))
  return f32x4.add(v128.shuffle<f64>(low, high, 0, 2), v128.shuffle<f64>(low, high, 1, 3))
}

function groupMin(w: usize, bytes: usize): v128 {
  let m = v128.load(w)
  for (let at: usize = 16; at < bytes; at += 16) m = f32x4.pmin(m, v128.load(w + at))
  return m
}

function groupMax(w: usize, bytes: usize): v128 {
  let m = v128.load(w)
  for (let at: usize = 16; at < bytes; at += 16) m = f32x4.pmax(m, v128.load(w + at))
  return m
}

function groupPoison(w: usize, bytes: usize): v128 {
  const nothing = f32x4.splat(0)
  let sum = nothing
  for (let at: usize = 0; at < bytes; at += 16) sum = fma(v128.load(w + at), nothing, sum)
  return sum
}

/** First-level scales and zeros of `groups` groups of one row, `stride` bytes apart. */
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
    const poison = poisonAcross(
      groupPoison(w, bytes),
      groupPoison(w1, bytes),
      groupPoison(w2, bytes),
      groupPoison(w3, bytes)
    )
    const flat = f32x4.eq(low, high)
    low = v128.bitselect(f32x4.splat(-1), low, flat)
    high = v128.bitselect(f32x4.splat(1), high, flat)
    const least = f32x4.pmax(f32x4.div(f32x4.sub(high, low), top), f32x4.splat(smallestScale))
    const scale = f32x4.add(least, poison)
    const point = f32x4.nearest(f32x4.div(f32x4.neg(low), scale))
    const zero = f32x4.pmin(f32x4.pmax(f32x4.splat(0), point), top)
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

/**
 * Replaces the scales of one second-level group, `some` and then up to `padded` anything, by those their codes stand for;
 * with `codes`, stores the codes there as bytes, and step and origin.
 */
function secondLevel(
  scales: usize,
  some: i32,
  padded: i32,
  format: i32,
  codes: usize,
  step: usize,
  origin: usize
): void {
  for (let i = some; i < padded; i++) store<f32>(scales + ((<usize>i) << 2), load<f32>(scales))
  const end = scales + ((<usize>padded) << 2)
  let least = v128.load(scales)
  let most = least
  for (let p = scales + 16; p < end; p += 16) {
    least = f32x4.pmin(least, v128.load(p))
    most = f32x4.pmax(most, v128.load(p))
  }
  const low = f32x4.extract_lane(minAcross(least, least, least, least), 0)
  const high = f32x4.extract_lane(maxAcross(most, most, most, most), 0)
  const single = stepOf(low, high, format, 0)
  const from = originOf(low, high, single, format, 0)
  if (codes) {
    store<f32>(step, single)
    store<f32>(origin, from)
  }
  const s = f32x4.splat(single)
  const divisor = f32x4.splat(max(single, smallestDivisor))
  const o = f32x4.splat(from)
  // A common scale is kept exactly, as code 0.
  const top = f32x4.splat(format === formatExact && low === high ? 0 : 15)
  for (let p = scales; p < end; p += 16, codes += 4) {
    const x = v128.load(p)
    const open = format === formatHalf ? f32x4.div(f32x4.sub(x, o), s) : f32x4.add(f32x4.div(x, divisor), o)
    // NaN stays NaN: it is the first operand.
    const code = f32x4.pmin(f32x4.pmax(f32x4.nearest(open), f32x4.splat(0)), top)
    v128.store(p, format === formatHalf ? f32x4.add(o, f32x4.mul(s, code)) : f32x4.mul(s, f32x4.sub(code, o)))
    if (codes) storeBytes(codes, code)
  }
}

/** Codes of four weights. A NaN among them makes the scale NaN, so the clamp need not carry it; pmax(0, q) has no -0. */
function encode(w: usize, divisor: v128, zero: v128, top: v128): v128 {
  const q = f32x4.nearest(f32x4.add(f32x4.div(v128.load(w), divisor), zero))
  return f32x4.pmin(top, f32x4.pmax(f32x4.splat(0), q))
}

/** y = scale (code - zero) for `groups` groups of one row, or the codes as bytes. */
function quantize(
  w: usize,
  y: usize,
  groups: i32,
  bytes: usize,
  scales: usize,
  zeros: usize,
  stride: usize,
  levels: f32,
  codes: i32
): void {
  const top = f32x4.splat(levels)
  for (let j = 0; j < groups; j++, scales += stride, zeros += stride) {
    const scale = v128.load32_splat(scales)
    const divisor = f32x4.splat(max(load<f32>(scales), smallestDivisor))
    const zero = v128.load32_splat(zeros)
    const end = w + bytes
    if (codes) for (; w < end; w += 16, y += 4) storeBytes(y, encode(w, divisor, zero, top))
    else
      for (; w < end; w += 16, y += 16) v128.store(y, f32x4.mul(scale, f32x4.sub(encode(w, divisor, zero, top), zero)))
  }
}

/**
 * Rows `first` to `first + count` (a multiple of qq). Writes rows of y and columns of scales and zeros [K / g, N]; or, with
 * `codes`, rows of codes, scale codes and zeros as bytes, and step and origin of the second-level groups.
 */
export function bilevelBlocks(
  first: i32,
  count: i32,
  scratch: usize,
  weight: usize,
  y: usize,
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
  codes: i32
): void {
  const groups = columns / group
  const rowBytes = (<usize>columns) << 2
  const groupBytes = (<usize>group) << 2
  const outBytes: usize = codes ? <usize>columns : rowBytes
  const padded = (scaleGroup + 3) & ~3
  const stride = (<usize>padded) << 2
  const wide = max(4, (blockBytes / (scaleGroup * group * 4)) & ~3)
  const ownZeros = scratch + <usize>wide * stride
  const ownCodes = ownZeros + <usize>wide * stride
  for (let o = first; o < first + count; o += scaleGroup) {
    for (let j = 0; j < groups; j += wide) {
      const some = min(wide, groups - j)
      const corner = weight + <usize>j * groupBytes
      for (let i = 0; i < scaleGroup; i++) {
        const own = (<usize>i) << 2
        firstLevel(corner + <usize>i * rowBytes, some, groupBytes, scratch + own, ownZeros + own, stride, levels)
      }
      for (let k = 0; k < some; k++) {
        const at = <usize>k * stride
        const row = (j + k) * rows + o
        const member = (<usize>(row / scaleGroup)) << 2
        secondLevel(scratch + at, scaleGroup, padded, format, codes ? ownCodes : 0, steps + member, origins + member)
        if (codes) {
          memory.copy(scales + <usize>row, ownCodes, <usize>scaleGroup)
          for (let i = 0; i < scaleGroup; i++) {
            store<u8>(zeros + <usize>(row + i), <u8>load<f32>(ownZeros + at + ((<usize>i) << 2)))
          }
        } else {
          memory.copy(scales + ((<usize>row) << 2), scratch + at, (<usize>scaleGroup) << 2)
          memory.copy(zeros + ((<usize>row) << 2), ownZeros + at, (<usize>scaleGroup) << 2)
        }
      }
      const target = y + (codes ? <usize>(j * group) : <usize>j * groupBytes)
      for (let i = 0; i < scaleGroup; i++) {
        const own = (<usize>i) << 2
        const source = corner + <usize>i * rowBytes
        const place = target + <usize>i * outBytes
        quantize(source, place, some, groupBytes, scratch + own, ownZeros + own, stride, levels, codes)
      }
    }
    weight += <usize>scaleGroup * rowBytes
    y += <usize>scaleGroup * outBytes
  }
}
