/**
 * A module of its own, with a memory of its own (src/numbers/magnitude.ts): the largest magnitude among floats, as the
 * bit pattern without its sign. Patterns are in the order of their magnitudes, infinity above all numbers, NaN above infinity.
 */

/** Floats of 32 bits in `bytes` bytes from `start`; `bytes` is a multiple of 64. */
export function largest32(start: usize, bytes: usize): i32 {
  const magnitude = i32x4.splat(0x7fffffff)
  let a = i32x4.splat(0)
  let b = a
  for (let x = start; x < start + bytes; x += 64) {
    a = i32x4.max_s(a, v128.and(v128.load(x), magnitude))
    b = i32x4.max_s(b, v128.and(v128.load(x, 16), magnitude))
    a = i32x4.max_s(a, v128.and(v128.load(x, 32), magnitude))
    b = i32x4.max_s(b, v128.and(v128.load(x, 48), magnitude))
  }
  a = i32x4.max_s(a, b)
  a = i32x4.max_s(a, v128.shuffle<i32>(a, a, 2, 3, 0, 1))
  return max(i32x4.extract_lane(a, 0), i32x4.extract_lane(a, 1))
}

/** Floats of 16 bits, of either kind. */
export function largest16(start: usize, bytes: usize): i32 {
  const magnitude = i16x8.splat(0x7fff)
  let a = i16x8.splat(0)
  let b = a
  for (let x = start; x < start + bytes; x += 64) {
    a = i16x8.max_s(a, v128.and(v128.load(x), magnitude))
    b = i16x8.max_s(b, v128.and(v128.load(x, 16), magnitude))
    a = i16x8.max_s(a, v128.and(v128.load(x, 32), magnitude))
    b = i16x8.max_s(b, v128.and(v128.load(x, 48), magnitude))
  }
  a = i16x8.max_s(a, b)
  a = i16x8.max_s(a, v128.shuffle<i16>(a, a, 4, 5, 6, 7, 0, 1, 2, 3))
  a = i16x8.max_s(a, v128.shuffle<i16>(a, a, 2, 3, 0, 1, 6, 7, 4, 5))
  return max(<i32>i16x8.extract_lane_s(a, 0), <i32>i16x8.extract_lane_s(a, 1))
}
