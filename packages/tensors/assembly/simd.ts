/** Four f32 at a time: fused multiply-add where the engine has relaxed SIMD, ends of rows, sums across lanes. */

/** a b + c; rounded once in the relaxed build, twice in the plain one. Not for what a definition fixes bit for bit. */
@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c)
  return f32x4.add(f32x4.mul(a, b), c)
}

/** The bytes of `table` at the 16 places, each below 16; 0 at places below 0. */
@inline
export function pick(table: v128, places: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(table, places)
  return i8x16.swizzle(table, places)
}

/** The first `count` (1 to 3) floats at `p`, zeros after them: the same code then serves ends and middles. */
export function loadPart(p: usize, count: i32): v128 {
  let v = v128.load32_zero(p)
  if (count > 1) v = v128.load_lane<f32>(p, v, 1, 4)
  if (count > 2) v = v128.load_lane<f32>(p, v, 2, 8)
  return v
}

/** Stores the first `count` (1 to 3) floats. */
export function storePart(p: usize, v: v128, count: i32): void {
  v128.store_lane<f32>(p, v, 0)
  if (count > 1) v128.store_lane<f32>(p, v, 1, 4)
  if (count > 2) v128.store_lane<f32>(p, v, 2, 8)
}

/** Sum of the lanes, always in the same order. */
@inline
export function sumLanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
}

/** The sums of the lanes of each of four vectors. */
@inline
export function sumEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7))
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7))
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7))
}

/** Largest lane; NaN when a lane is NaN. */
@inline
export function maxLanes(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3))
  )
}
