/** Codes on a given grid of scales and zero points, one a group of columns; entries run over groups. Codes out of bits. */
import { roundToHalf } from "./cast"
import { addDoubles } from "./reductions"
import { loadPart, storePart } from "./simd"
import { loadBytes, storeBytes } from "./storage"

/** code = clamp(rne(w / scale + zero), 0, levels), each operation rounded by itself. */
function codesOf(w: v128, scale: v128, zero: v128, top: v128): v128 {
  const open = f32x4.nearest(f32x4.add(f32x4.div(w, scale), zero))
  return f32x4.pmin(top, f32x4.pmax(f32x4.splat(0), open))
}

/** The same with quotient and sum rounded to half precision. */
function coarseCode(w: f32, scale: f32, zero: f32, top: f32): f32 {
  return min(top, max<f32>(0, nearest<f32>(roundToHalf(roundToHalf(w / scale) + zero))))
}

/** Codes as bytes. */
export function gridCodes(
  _first: i32,
  count: i32,
  weight: usize,
  scales: usize,
  zeros: usize,
  codes: usize,
  group: i32,
  levels: f32,
  coarse: i32
): void {
  const top = f32x4.splat(levels)
  const whole = coarse ? 0 : group & ~3
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    const scale = v128.load32_splat(scales)
    const zero = v128.load32_splat(zeros)
    let i = 0
    for (; i < whole; i += 4, weight += 16, codes += 4) storeBytes(codes, codesOf(v128.load(weight), scale, zero, top))
    for (; i < group; i++, weight += 4, codes++) {
      if (coarse) store<u8>(codes, <u8>coarseCode(load<f32>(weight), load<f32>(scales), load<f32>(zeros), levels))
      else store<u8>(codes, <u8>f32x4.extract_lane(codesOf(v128.load32_zero(weight), scale, zero, top), 0))
    }
  }
}

/** y = scale (code - zero) */
export function gridDecode(
  _first: i32,
  count: i32,
  codes: usize,
  scales: usize,
  zeros: usize,
  y: usize,
  group: i32
): void {
  const whole = group & ~3
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    const scale = load<f32>(scales)
    const zero = load<f32>(zeros)
    const s = f32x4.splat(scale)
    const z = f32x4.splat(zero)
    let i = 0
    for (; i < whole; i += 4, codes += 4, y += 16) {
      v128.store(y, f32x4.mul(s, f32x4.sub(f32x4.convert_i32x4_s(loadBytes(codes)), z)))
    }
    for (; i < group; i++, codes++, y += 4) store<f32>(y, scale * (<f32>load<u8>(codes) - zero))
  }
}

/** Gradients by the weights, scales and zero points: dweight where the open code is a code, sums over the group for the others. */
export function gridGradient(
  _first: i32,
  count: i32,
  dy: usize,
  weight: usize,
  scales: usize,
  zeros: usize,
  dweight: usize,
  dscales: usize,
  dzeros: usize,
  group: i32,
  levels: f32
): void {
  const top = f32x4.splat(levels)
  const nothing = f32x4.splat(0)
  for (let index = 0; index < count; index++, scales += 4, zeros += 4, dscales += 4, dzeros += 4) {
    const scale = v128.load32_splat(scales)
    const zero = v128.load32_splat(zeros)
    let byScale = f64x2.splat(0)
    let outside = f64x2.splat(0)
    for (let left = group; left > 0; left -= 4) {
      const own = f32x4.lt(f32x4(0, 1, 2, 3), f32x4.splat(<f32>left))
      const d = left < 4 ? loadPart(dy, left) : v128.load(dy)
      const w = left < 4 ? loadPart(weight, left) : v128.load(weight)
      const steps = f32x4.div(w, scale)
      const open = f32x4.nearest(f32x4.add(steps, zero))
      const inside = v128.and(f32x4.ge(open, nothing), f32x4.le(open, top))
      const passed = v128.and(d, inside)
      const code = f32x4.pmin(f32x4.pmax(open, nothing), top)
      const byScales = f32x4.mul(d, f32x4.sub(f32x4.sub(code, zero), v128.and(steps, inside)))
      byScale = addDoubles(byScale, v128.and(byScales, own))
      outside = addDoubles(outside, v128.andnot(d, inside))
      if (left < 4) storePart(dweight, passed, left)
      else v128.store(dweight, passed)
      const bytes = (<usize>min(left, 4)) << 2
      dy += bytes
      weight += bytes
      dweight += bytes
    }
    store<f32>(dscales, <f32>(f64x2.extract_lane(byScale, 0) + f64x2.extract_lane(byScale, 1)))
    const sum = f64x2.extract_lane(outside, 0) + f64x2.extract_lane(outside, 1)
    store<f32>(dzeros, <f32>(-(<f64>load<f32>(scales)) * sum))
  }
}

/** y = w clamped to the range of its group */
export function clampGroups(
  _first: i32,
  count: i32,
  weight: usize,
  low: usize,
  high: usize,
  y: usize,
  group: i32
): void {
  const rest = group & 3
  const bytes = (<usize>group) << 2
  const end = bytes & ~15
  for (let index = 0; index < count; index++, low += 4, high += 4, weight += bytes, y += bytes) {
    const from = v128.load32_splat(low)
    const to = v128.load32_splat(high)
    let at: usize = 0
    for (; at < end; at += 16) v128.store(y + at, f32x4.pmin(f32x4.pmax(v128.load(weight + at), from), to))
    if (rest) storePart(y + at, f32x4.pmin(f32x4.pmax(loadPart(weight + at, rest), from), to), rest)
  }
}

/** Codes `first` to `first + count` of a little-endian stream of `bits` bits each, in `bytes` bytes. */
export function unpackCodes(first: i32, count: i32, packed: usize, codes: usize, bits: i32, bytes: i32): void {
  unpackFrom(<u64>first, count, packed, codes, bits, bytes)
}

/** codes[n] = row index[n] of a stream that holds rows of `columns` codes. */
export function gatherCodes(
  _first: i32,
  count: i32,
  packed: usize,
  index: usize,
  codes: usize,
  columns: i32,
  bits: i32,
  bytes: i32
): void {
  for (let n = 0; n < count; n++, index += 4, codes += <usize>columns) {
    unpackFrom(<u64>load<i32>(index) * <u64>columns, columns, packed, codes, bits, bytes)
  }
}

function unpackFrom(first: u64, count: i32, packed: usize, codes: usize, bits: i32, bytes: i32): void {
  let i = 0
  while (i < count) {
    const bit = (first + <u64>i) * <u64>bits
    const at = <usize>(bit >> 3)
    // Eight codes begin with a byte where those before them fill whole ones.
    if (bit & 7 || i + 8 > count || at + 8 > <usize>bytes) {
      let pair = <u32>load<u8>(packed + at)
      if (at + 1 < <usize>bytes) pair |= (<u32>load<u8>(packed + at + 1)) << 8
      store<u8>(codes + <usize>i, <u8>((pair >> <u32>(bit & 7)) & ((1 << bits) - 1)))
      i++
      continue
    }
    store<u64>(codes + <usize>i, spreadBits(load<u64>(packed + at), bits))
    i += 8
  }
}

/** Eight codes of `bits` bits each, one a byte: halves, quarters and eighths of the bits move to their places. */
function spreadBits(x: u64, bits: u64): u64 {
  const four: u64 = ((<u64>1) << (4 * bits)) - 1
  x = (x & four) | (((x >> (4 * bits)) & four) << 32)
  const two: u64 = (((<u64>1) << (2 * bits)) - 1) * 0x0000000100000001
  x = (x & two) | (((x >> (2 * bits)) & two) << 16)
  const one: u64 = (((<u64>1) << bits) - 1) * 0x0001000100010001
  return (x & one) | (((x >> bits) & one) << 8)
}
