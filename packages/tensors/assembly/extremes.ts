/** Smallest and largest of consecutive f32. */

/** Least of `count` floats; infinity for none. */
export function smallest(x: usize, count: i32): f32 {
  let low: f32 = Infinity
  let i = 0
  if (count >= 4) {
    let m = v128.load(x)
    for (i = 4; i + 4 <= count; i += 4) m = f32x4.min(m, v128.load(x + ((<usize>i) << 2)))
    low = min(
      min(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
      min(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3))
    )
  }
  for (; i < count; i++) low = min(low, load<f32>(x + ((<usize>i) << 2)))
  return low
}

/** Greatest of `count` floats; -infinity for none. */
export function largest(x: usize, count: i32): f32 {
  let high: f32 = -Infinity
  let i = 0
  if (count >= 4) {
    let m = v128.load(x)
    for (i = 4; i + 4 <= count; i += 4) m = f32x4.max(m, v128.load(x + ((<usize>i) << 2)))
    high = max(
      max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
      max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3))
    )
  }
  for (; i < count; i++) high = max(high, load<f32>(x + ((<usize>i) << 2)))
  return high
}
