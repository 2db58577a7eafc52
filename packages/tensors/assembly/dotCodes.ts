/**
 * y[m, n] = sum over k of x[m, k] scale[n, k / g] (code[n, k] - zero[n, k / g]) (+ bias[n]) by sums of whole numbers. x is laid in
 * fixed point, a step for each chunk of columns (layX.ts): of a chunk, sum (code - zero) x is a whole number without any rounding,
 * and one conversion, two products and an addition a group make it a part of y. No operation is fused and each row of x is alone:
 * both builds, any number of threads and of rows give the same bits.
 *
 * Four rows of the weight lie together as a tile. A chunk of one row is 16 bytes of codes: 64 columns of 2 bits, 32 of 4, a lane of
 * 32 bits a quarter of them. Groups shorter than a chunk are whole lanes and are finished by lanes; groups of whole chunks are
 * finished by rows, four at once.
 */
import { bytesOfChunk, layX } from "./layX"
import { sumLanes } from "./simd"
import { widen } from "./storage"

/** How the scale of a group is held: by 4 bits of its grid byte, with a step and an origin, or as it is. */
class Stepped {}
class Flat {}

/** Where the scales of a tile are widened to in scratch: beyond a row of x and 65536 columns of it. */
const widened: usize = 1 << 19

/**
 * Tiles `first` to `first + count`: `scratch` is a megabyte; codes and grid, and a flat origin, are at tile `first`; all others are
 * whole. `sharing`: rows of the weight that share a step and an origin; 0 without steps. `type`: that of a flat origin, as of cast.
 */
export function dotCodes(
  first: i32,
  count: i32,
  scratch: usize,
  codes: usize,
  grid: usize,
  origin: usize,
  step: usize,
  x: usize,
  bias: usize,
  y: usize,
  m: i32,
  k: i32,
  n: i32,
  group: i32,
  bits: i32,
  sharing: i32,
  int8: i32,
  type: i32
): void {
  for (let i = 0; i < m; i++) {
    const from = x + ((<usize>i * <usize>k) << 2)
    const to = y + ((<usize>i * <usize>n) << 2)
    if (bits === 2) {
      if (int8) dotRow<u16, i8>(first, count, scratch, codes, grid, origin, step, from, bias, to, k, n, group, sharing, type)
      else dotRow<u16, i32>(first, count, scratch, codes, grid, origin, step, from, bias, to, k, n, group, sharing, type)
    } else {
      if (int8) dotRow<u32, i8>(first, count, scratch, codes, grid, origin, step, from, bias, to, k, n, group, sharing, type)
      else dotRow<u32, i32>(first, count, scratch, codes, grid, origin, step, from, bias, to, k, n, group, sharing, type)
    }
  }
}

/** One row of x. T holds eight codes: u16 those of 2 bits, u32 those of 4. X is what x is laid in: i8, or i32 for all of its bits. */
function dotRow<T, X>(
  first: i32,
  count: i32,
  scratch: usize,
  codes: usize,
  grid: usize,
  origin: usize,
  step: usize,
  x: usize,
  bias: usize,
  y: usize,
  k: i32,
  n: i32,
  group: i32,
  sharing: i32,
  type: i32
): void {
  const columns = 128 / <i32>sizeof<T>()
  const chunks = (k + columns - 1) / columns
  const byRows = group % columns === 0
  layX<T, X>(x, k, byRows, scratch)
  const steps = byRows ? k / group : 4 * chunks
  const chunksOfGroup = group / columns
  for (let tile = first; tile < first + count; tile++) {
    let sums: v128
    if (sharing) {
      const at = (<usize>(4 * tile / sharing) * <usize>steps) << 2
      if (byRows) sums = tileByRows<T, X, Stepped>(scratch, chunks, chunksOfGroup, codes, grid, origin + at, step + at)
      else sums = tileByLanes<T, X, Stepped>(scratch, chunks, codes, grid, origin + at, step + at)
    } else {
      const scales = type === 0 ? origin : scratch + widened
      if (type !== 0) widen(0, 4 * steps, origin, scales, type)
      if (byRows) sums = tileByRows<T, X, Flat>(scratch, chunks, chunksOfGroup, codes, grid, scales, 0)
      else sums = tileByLanes<T, X, Flat>(scratch, chunks, codes, grid, scales, 0)
      origin += (<usize>steps) << (type === 0 ? 4 : 3)
    }
    codes += (<usize>chunks) << 6
    grid += (<usize>steps) << 2
    putTile(4 * tile, n, sums, bias, y)
  }
}

/** Stores the results of the rows of a tile that there are. */
function putTile(row: i32, n: i32, sums: v128, bias: usize, y: usize): void {
  const at = (<usize>row) << 2
  if (row + 4 <= n) {
    v128.store(y + at, bias ? f32x4.add(sums, v128.load(bias + at)) : sums)
    return
  }
  for (let r = 0; row + r < n; r++) {
    const sum = f32x4.extract_lane(sums, 0)
    const to = at + ((<usize>r) << 2)
    store<f32>(y + to, bias ? sum + load<f32>(bias + to) : sum)
    sums = v128.shuffle<f32>(sums, sums, 1, 2, 3, 0)
  }
}

/** The scale of four groups out of their grid bytes, which begin at bit `shift` of each lane. */
@inline
function steppedScale(grid: v128, shift: i32, step: v128, origin: v128): v128 {
  const code = v128.and(shift === 0 ? grid : i32x4.shr_u(grid, shift), i32x4.splat(15))
  return f32x4.add(f32x4.mul(step, f32x4.convert_i32x4_s(code)), origin)
}

/** Their zero points. */
@inline
function zeroOf(grid: v128, shift: i32): v128 {
  const zero = i32x4.shr_u(grid, shift + 4)
  return shift === 24 ? zero : v128.and(zero, i32x4.splat(15))
}

/** sum + scale (codes x - zero x) with the sums of codes x and of x in steps of `step`. */
@inline
function finish(sum: v128, dots: v128, ofX: v128, step: v128, zero: v128, scale: v128): v128 {
  const whole = f32x4.convert_i32x4_s(i32x4.sub(dots, i32x4.mul(zero, ofX)))
  return f32x4.add(sum, f32x4.mul(f32x4.mul(whole, step), scale))
}

/** One row of a tile and one chunk: the row's grid bytes begin at bit 8 r of the lanes of `grid`. */
@inline
function laneStep<T, X, S>(
  r: i32,
  sum: v128,
  x: usize,
  codes: usize,
  grid: v128,
  origin: usize,
  step: usize
): v128 {
  const dots = dot<T, X>(v128.load(codes), x)
  const scale = isFlat<S>()
    ? v128.load(origin + 16 * <usize>r)
    : steppedScale(grid, 8 * r, v128.load(step), v128.load(origin))
  const after = x + bytesOfChunk<T, X>() - 32
  return finish(sum, dots, v128.load(after), v128.load(after, 16), zeroOf(grid, 8 * r), scale)
}

@inline
function isFlat<S>(): bool {
  return idof<S>() === idof<Flat>()
}

/** Four rows with groups shorter than a chunk: origin and step [lanes], a flat origin [chunks, 4 rows, 4 lanes]. */
function tileByLanes<T, X, S>(x: usize, chunks: i32, codes: usize, grid: usize, origin: usize, step: usize): v128 {
  let s0 = f32x4.splat(0)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  const end = codes + ((<usize>chunks) << 6)
  while (codes < end) {
    const four = v128.load(grid)
    s0 = laneStep<T, X, S>(0, s0, x, codes, four, origin, step)
    s1 = laneStep<T, X, S>(1, s1, x, codes + 16, four, origin, step)
    s2 = laneStep<T, X, S>(2, s2, x, codes + 32, four, origin, step)
    s3 = laneStep<T, X, S>(3, s3, x, codes + 48, four, origin, step)
    x += bytesOfChunk<T, X>()
    codes += 64
    grid += 16
    origin += isFlat<S>() ? 64 : 16
    step += 16
  }
  return f32x4(sumLanes(s0), sumLanes(s1), sumLanes(s2), sumLanes(s3))
}

/** Four rows with groups of `chunksOfGroup` chunks: origin and step [groups], a flat origin [groups, 4 rows]. */
function tileByRows<T, X, S>(
  x: usize,
  chunks: i32,
  chunksOfGroup: i32,
  codes: usize,
  grid: usize,
  origin: usize,
  step: usize
): v128 {
  let sum = f32x4.splat(0)
  const end = codes + ((<usize>chunks) << 6)
  while (codes < end) {
    // The bytes of four rows, one a lane.
    const four = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(grid)))
    const zero = i32x4.shr_u(four, 4)
    const scale = isFlat<S>()
      ? v128.load(origin)
      : steppedScale(four, 0, v128.load32_splat(step), v128.load32_splat(origin))
    for (let chunk = 0; chunk < chunksOfGroup; chunk++) {
      const dots = sumEachWhole(
        dot<T, X>(v128.load(codes), x),
        dot<T, X>(v128.load(codes, 16), x),
        dot<T, X>(v128.load(codes, 32), x),
        dot<T, X>(v128.load(codes, 48), x)
      )
      const after = x + bytesOfChunk<T, X>() - 32
      sum = finish(sum, dots, v128.load(after), v128.load(after, 16), zero, scale)
      x += bytesOfChunk<T, X>()
      codes += 64
    }
    grid += 4
    origin += isFlat<S>() ? 16 : 4
    step += 4
  }
  return sum
}

/** The sums of the lanes of each of four vectors. */
@inline
function sumEachWhole(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7))
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7))
  return i32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7))
}

/** Of each lane, the sum of codes times x. */
@inline
function dot<T, X>(codes: v128, x: usize): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return sizeof<X>() === 4 ? dotBytes<T>(codes, x) : dotByte<T>(codes, x)
  return sizeof<X>() === 4 ? dotHalves<T>(codes, x) : dotHalf<T>(codes, x)
}

/** Codes `place` of the codes in each unit of T's bits. */
@inline
function codesOfBytes<T>(codes: v128, place: i32): v128 {
  const low = sizeof<T>() === 4 ? i8x16.splat(15) : i8x16.splat(3)
  return v128.and(place === 0 ? codes : i16x8.shr_u(codes, place * <i32>sizeof<T>()), low)
}

/**
 * Sums of pairs of products: exact in 16 bits, as codes are below 16. Not the instruction that adds four and a sum as well: V8
 * 11.3 (Node 20) loses the sum.
 */
@inline
function pairs(x: usize, codes: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x), codes)
}

/** x in one byte. */
@inline
function dotByte<T>(codes: v128, x: usize): v128 {
  let sum = i16x8.add(pairs(x, codesOfBytes<T>(codes, 0)), pairs(x + 16, codesOfBytes<T>(codes, 1)))
  if (sizeof<T>() === 2) {
    sum = i16x8.add(sum, pairs(x + 32, codesOfBytes<T>(codes, 2)))
    sum = i16x8.add(sum, pairs(x + 48, codesOfBytes<T>(codes, 3)))
  }
  return i32x4.extadd_pairwise_i16x8_s(sum)
}

/** x in three bytes: 2^16 upper + 2^8 middle + lower. */
@inline
function dotBytes<T>(codes: v128, x: usize): v128 {
  let each = codesOfBytes<T>(codes, 0)
  let lower = pairs(x, each)
  let middle = pairs(x + 16, each)
  let upper = pairs(x + 32, each)
  each = codesOfBytes<T>(codes, 1)
  lower = i16x8.add(lower, pairs(x + 48, each))
  middle = i16x8.add(middle, pairs(x + 64, each))
  upper = i16x8.add(upper, pairs(x + 80, each))
  if (sizeof<T>() === 2) {
    each = codesOfBytes<T>(codes, 2)
    lower = i16x8.add(lower, pairs(x + 96, each))
    middle = i16x8.add(middle, pairs(x + 112, each))
    upper = i16x8.add(upper, pairs(x + 128, each))
    each = codesOfBytes<T>(codes, 3)
    lower = i16x8.add(lower, pairs(x + 144, each))
    middle = i16x8.add(middle, pairs(x + 160, each))
    upper = i16x8.add(upper, pairs(x + 176, each))
  }
  const above = i32x4.add(i32x4.extadd_pairwise_i16x8_s(middle), i32x4.shl(i32x4.extadd_pairwise_i16x8_s(upper), 8))
  return i32x4.add(i32x4.extadd_pairwise_i16x8_s(lower), i32x4.shl(above, 8))
}

@inline
function addPairs(sum: v128, codes: v128, x: usize): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(v128.load(x), codes))
}

/** Codes `place` of the eight or four in each half word. */
@inline
function codesOfHalves<T>(codes: v128, place: i32): v128 {
  const low = sizeof<T>() === 4 ? i16x8.splat(15) : i16x8.splat(3)
  const bits = <i32>sizeof<T>()
  const moved = place === 0 ? codes : i16x8.shr_u(codes, place * bits)
  return (place + 1) * bits === 16 ? moved : v128.and(moved, low)
}

/** x in one half word. */
@inline
function dotHalf<T>(codes: v128, x: usize): v128 {
  let a = i32x4.dot_i16x8_s(v128.load(x), codesOfHalves<T>(codes, 0))
  let b = i32x4.dot_i16x8_s(v128.load(x, 16), codesOfHalves<T>(codes, 1))
  a = addPairs(a, codesOfHalves<T>(codes, 2), x + 32)
  b = addPairs(b, codesOfHalves<T>(codes, 3), x + 48)
  if (sizeof<T>() === 2) {
    a = addPairs(a, codesOfHalves<T>(codes, 4), x + 64)
    b = addPairs(b, codesOfHalves<T>(codes, 5), x + 80)
    a = addPairs(a, codesOfHalves<T>(codes, 6), x + 96)
    b = addPairs(b, codesOfHalves<T>(codes, 7), x + 112)
  }
  return i32x4.add(a, b)
}

/** x in two half words: 2^16 upper + lower. */
@inline
function dotHalves<T>(codes: v128, x: usize): v128 {
  let each = codesOfHalves<T>(codes, 0)
  let lower = i32x4.dot_i16x8_s(v128.load(x), each)
  let upper = i32x4.dot_i16x8_s(v128.load(x, 16), each)
  each = codesOfHalves<T>(codes, 1)
  lower = addPairs(lower, each, x + 32)
  upper = addPairs(upper, each, x + 48)
  each = codesOfHalves<T>(codes, 2)
  lower = addPairs(lower, each, x + 64)
  upper = addPairs(upper, each, x + 80)
  each = codesOfHalves<T>(codes, 3)
  lower = addPairs(lower, each, x + 96)
  upper = addPairs(upper, each, x + 112)
  if (sizeof<T>() === 2) {
    each = codesOfHalves<T>(codes, 4)
    lower = addPairs(lower, each, x + 128)
    upper = addPairs(upper, each, x + 144)
    each = codesOfHalves<T>(codes, 5)
    lower = addPairs(lower, each, x + 160)
    upper = addPairs(upper, each, x + 176)
    each = codesOfHalves<T>(codes, 6)
    lower = addPairs(lower, each, x + 192)
    upper = addPairs(upper, each, x + 208)
    each = codesOfHalves<T>(codes, 7)
    lower = addPairs(lower, each, x + 224)
    upper = addPairs(upper, each, x + 240)
  }
  return i32x4.add(lower, i32x4.shl(upper, 16))
}
