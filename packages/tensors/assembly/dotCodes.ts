/**
 * y[m, n] = sum over k of x[m, k] scale[n, k / g] (code[n, k] - zero[n, k / g]) (+ bias[n]) for few rows m. Codes of 2 or 4
 * bits lie in a bit stream and are decoded in registers: an eighth or a quarter of the bytes that dotRows reads of a bf16
 * weight. A chain of four lanes a row, in the order of dotRows: the bits are those of its product with the decoded f32 weight.
 * Four rows at once share what is read of x, and their chains overlap.
 */
import { put } from "./dotRows"
import { fma, pick, sumLanes } from "./simd"

/** Rows that are computed at once. */
const together = 4

/**
 * Constant vectors: V8 builds one that is written in place anew at each use. Places that put each of the first two bytes into
 * two words, the same of the next two; the lower and the upper half of a byte, and factors that move both to the units; 0 to 3.
 */
const constants = memory.data<u32>([
  0xffffff00, 0xffffff00, 0xffffff01, 0xffffff01, 0xffffff02, 0xffffff02, 0xffffff03, 0xffffff03, 0x0f, 0xf0, 0x0f,
  0xf0, 0x3f800000, 0x3d800000, 0x3f800000, 0x3d800000, 0, 0x3f800000, 0x40000000, 0x40400000
])

/**
 * Rows `first` to `first + count`; the pointers of codes, scale and zero are at row `first`; x, bias and y are whole. `places`:
 * for each byte of four codes of 2 bits, the bytes of the four f32 of a table that they name.
 */
export function dotCodes(
  first: i32,
  count: i32,
  codes: usize,
  scale: usize,
  zero: usize,
  x: usize,
  bias: usize,
  y: usize,
  places: usize,
  m: i32,
  k: i32,
  n: i32,
  group: i32,
  bits: i32
): void {
  if (bits === 2) dotAll<u16>(first, count, codes, scale, zero, x, bias, y, places, m, k, n, group)
  else dotAll<u32>(first, count, codes, scale, zero, x, bias, y, places, m, k, n, group)
}

/** T holds eight codes: u16 those of 2 bits, u32 those of 4. */
function dotAll<T>(
  first: i32,
  count: i32,
  codes: usize,
  scale: usize,
  zero: usize,
  x: usize,
  bias: usize,
  y: usize,
  places: usize,
  m: i32,
  k: i32,
  n: i32,
  group: i32
): void {
  const codeBytes = <usize>(k / 8) * sizeof<T>()
  const gridBytes = (<usize>(k / group)) << 2
  let row = 0
  for (; row + together <= count; row += together) {
    const grid = <usize>row * gridBytes
    for (let i = 0; i < m; i++) {
      const target = y + ((<usize>i * <usize>n) << 2)
      const from = x + ((<usize>i * <usize>k) << 2)
      dotFour<T>(
        first + row,
        codes + <usize>row * codeBytes,
        codeBytes,
        scale + grid,
        zero + grid,
        gridBytes,
        from,
        bias,
        target,
        places,
        k,
        group
      )
    }
  }
  for (; row < count; row++) {
    const grid = <usize>row * gridBytes
    for (let i = 0; i < m; i++) {
      const target = y + ((<usize>i * <usize>n) << 2)
      const from = x + ((<usize>i * <usize>k) << 2)
      put(
        first + row,
        dotOne<T>(codes + <usize>row * codeBytes, scale + grid, zero + grid, from, places, k, group),
        bias,
        target,
        0
      )
    }
  }
}

/** What a code of a group is decoded with: 2 bits, the four numbers that it may stand for; 4 bits, the scale. */
function decoderOf<T>(scale: usize, zero: usize): v128 {
  const s = v128.load32_splat(scale)
  if (sizeof<T>() === 4) return s
  return f32x4.mul(s, f32x4.sub(v128.load(constants, 64), v128.load32_splat(zero)))
}

/** Eight weights times eight numbers of x, added to a chain. */
function step<T>(codes: usize, places: usize, decoder: v128, zero: usize, low: v128, high: v128, sum: v128): v128 {
  if (sizeof<T>() === 2) {
    const eight = <usize>load<u16>(codes)
    const a = pick(decoder, v128.load(places + ((eight << 4) & 0xff0)))
    const b = pick(decoder, v128.load(places + ((eight >> 4) & 0xff0)))
    return fma(b, high, fma(a, low, sum))
  }
  const origin = v128.load32_splat(zero)
  const eight = v128.load32_zero(codes)
  const a = fourOf(pick(eight, v128.load(constants)))
  const b = fourOf(pick(eight, v128.load(constants, 16)))
  const first = f32x4.mul(decoder, f32x4.sub(a, origin))
  return fma(f32x4.mul(decoder, f32x4.sub(b, origin)), high, fma(first, low, sum))
}

/** Four codes out of two bytes, each of them in two lanes: the lower half in one, the upper in the next. */
function fourOf(bytes: v128): v128 {
  const halves = v128.and(bytes, v128.load(constants, 32))
  return f32x4.mul(f32x4.convert_i32x4_s(halves), v128.load(constants, 48))
}

/** One row of x with four rows of the weight. */
function dotFour<T>(
  row: i32,
  codes: usize,
  codeBytes: usize,
  scale: usize,
  zero: usize,
  gridBytes: usize,
  x: usize,
  bias: usize,
  y: usize,
  places: usize,
  k: i32,
  group: i32
): void {
  let s0 = f32x4.splat(0)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  const end = x + ((<usize>k) << 2)
  while (x < end) {
    const d0 = decoderOf<T>(scale, zero)
    const d1 = decoderOf<T>(scale + gridBytes, zero + gridBytes)
    const d2 = decoderOf<T>(scale + 2 * gridBytes, zero + 2 * gridBytes)
    const d3 = decoderOf<T>(scale + 3 * gridBytes, zero + 3 * gridBytes)
    const last = x + ((<usize>group) << 2)
    for (; x < last; x += 32, codes += sizeof<T>()) {
      const low = v128.load(x)
      const high = v128.load(x, 16)
      s0 = step<T>(codes, places, d0, zero, low, high, s0)
      s1 = step<T>(codes + codeBytes, places, d1, zero + gridBytes, low, high, s1)
      s2 = step<T>(codes + 2 * codeBytes, places, d2, zero + 2 * gridBytes, low, high, s2)
      s3 = step<T>(codes + 3 * codeBytes, places, d3, zero + 3 * gridBytes, low, high, s3)
    }
    scale += 4
    zero += 4
  }
  put(row, sumLanes(s0), bias, y, 0)
  put(row + 1, sumLanes(s1), bias, y, 0)
  put(row + 2, sumLanes(s2), bias, y, 0)
  put(row + 3, sumLanes(s3), bias, y, 0)
}

/** One row with one row. */
function dotOne<T>(codes: usize, scale: usize, zero: usize, x: usize, places: usize, k: i32, group: i32): f32 {
  let sum = f32x4.splat(0)
  const end = x + ((<usize>k) << 2)
  while (x < end) {
    const decoder = decoderOf<T>(scale, zero)
    const last = x + ((<usize>group) << 2)
    for (; x < last; x += 32, codes += sizeof<T>()) {
      sum = step<T>(codes, places, decoder, zero, v128.load(x), v128.load(x, 16), sum)
    }
    scale += 4
    zero += 4
  }
  return sumLanes(sum)
}
