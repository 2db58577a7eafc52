/**
 * A row of x in fixed point, chunk by chunk, in the order in which dotCodes meets its codes.
 *
 *   int8    a step of max |x| / 127:  q = rne(x / step), one byte
 *   else    a step of 2^(e - 21), 2^e <= max |x| < 2^(e + 1): q = rne(x / step) is 2^22 at most, so that sums over a chunk stay
 *           below 2^31, and three bytes or two half words hold it; x is off by max |x| / 2^22 at most
 *
 * A chunk is its numbers, then the sums of q (of each lane; of the chunk in each lane where it is finished by rows), then the step.
 * A chunk with NaN or infinity has the step NaN, and makes all of y so.
 */
import { maxLanes } from "./simd"

/** Columns of a chunk: 16 bytes of codes. T holds eight codes. */
@inline
function columnsOf<T>(): i32 {
  return 128 / <i32>sizeof<T>()
}

/** Bytes that hold a part of a number: the relaxed build multiplies bytes, the plain one half words. */
@inline
function partBytes(): usize {
  return ASC_FEATURE_RELAXED_SIMD ? 1 : 2
}

/** Parts that hold a number. */
@inline
function partsOf<X>(): i32 {
  return sizeof<X>() === 1 ? 1 : ASC_FEATURE_RELAXED_SIMD ? 3 : 2
}

@inline
export function bytesOfChunk<T, X>(): usize {
  return <usize>(columnsOf<T>() * partsOf<X>()) * partBytes() + 32
}

/** Blocks below this are zeros: their steps would not be normal numbers. */
const smallest: f32 = 7.888609052210118e-31 // 2^-100

/** Lays k numbers; `byRows`: each chunk has one sum. The numbers of one chunk are kept behind all chunks meanwhile. */
export function layX<T, X>(x: usize, k: i32, byRows: bool, to: usize): void {
  const columns = columnsOf<T>()
  const chunks = (k + columns - 1) / columns
  const whole = to + <usize>chunks * bytesOfChunk<T, X>()
  for (let chunk = 0; chunk < chunks; chunk++) {
    const left = k - chunk * columns
    if (left < columns) {
      memory.fill(whole, 0, (<usize>columns) << 2)
      memory.copy(whole, x, (<usize>left) << 2)
      layChunk<T, X>(whole, byRows, whole, to)
    } else layChunk<T, X>(x, byRows, whole, to)
    x += (<usize>columns) << 2
    to += bytesOfChunk<T, X>()
  }
}

function layChunk<T, X>(x: usize, byRows: bool, whole: usize, to: usize): void {
  const bytes = (<usize>columnsOf<T>()) << 2
  let most = f32x4.splat(0)
  for (let i: usize = 0; i < bytes; i += 16) most = f32x4.max(most, f32x4.abs(v128.load(x + i)))
  const largest = maxLanes(most)
  let step: f32 = NaN
  let factor: f32 = 0
  if (largest < Infinity) {
    if (sizeof<X>() === 1) {
      step = largest < smallest ? 0 : largest / 127
      factor = largest < smallest ? 0 : <f32>127 / largest
    } else {
      const exponent = reinterpret<u32>(max(largest, smallest)) >> 23
      step = reinterpret<f32>((exponent - 21) << 23)
      factor = reinterpret<f32>((275 - exponent) << 23)
    }
  }
  const factors = f32x4.splat(factor)
  for (let i: usize = 0; i < bytes; i += 16) {
    const rounded = f32x4.nearest(f32x4.mul(v128.load(x + i), factors))
    v128.store(whole + i, i32x4.trunc_sat_f32x4_s(rounded))
  }
  scatter<T, X>(whole, byRows, to)
  v128.store(to + bytesOfChunk<T, X>() - 16, f32x4.splat(step))
}

/** Puts whole numbers where their codes are: so many of them are beside each other in a byte, or a half word. */
function scatter<T, X>(whole: usize, byRows: bool, to: usize): void {
  const together = <i32>(partBytes() << 3) / <i32>sizeof<T>()
  const apart = <usize>partsOf<X>() << 4
  let sums = i32x4.splat(0)
  for (let lane = 0; lane < 4; lane++) {
    let sum = 0
    for (let part: usize = 0; part < 4; part += partBytes()) {
      let at = to + ((<usize>lane) << 2) + part
      for (let i = 0; i < together; i++, at += apart, whole += 4) {
        const number = load<i32>(whole)
        sum += number
        putParts<X>(at, number)
      }
    }
    // The last lane comes to stand last.
    sums = i32x4.replace_lane(v128.shuffle<i32>(sums, sums, 1, 2, 3, 0), 3, sum)
  }
  if (byRows) {
    const all = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1)
    sums = i32x4.splat(all + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3))
  }
  v128.store(to + bytesOfChunk<T, X>() - 32, sums)
}

/** The parts of a number, lowest first: what one takes below 0 the next makes good. */
@inline
function putParts<X>(at: usize, number: i32): void {
  if (!ASC_FEATURE_RELAXED_SIMD) {
    store<i16>(at, <i16>number)
    if (partsOf<X>() === 2) store<i16>(at + 16, <i16>((number + 0x8000) >> 16))
    return
  }
  store<i8>(at, <i8>number)
  if (partsOf<X>() === 3) {
    const above = (number + 0x80) >> 8
    store<i8>(at + 16, <i8>above)
    store<i8>(at + 32, <i8>((above + 0x80) >> 8))
  }
}
