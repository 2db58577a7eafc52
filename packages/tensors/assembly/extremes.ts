/** Smallest and largest of consecutive f32. NaN may be passed over: `poison` tells of it. */

/** Least of `count` floats; infinity for none. */
export function smallest(x: usize, count: i32): f32 {
  let low: f32 = Infinity
  let i = 0
  if (count >= 4) {
    let m = v128.load(x)
    for (i = 4; i + 4 <= count; i += 4) m = f32x4.pmin(m, v128.load(x + ((<usize>i) << 2)))
    m = f32x4.pmin(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1))
    low = f32x4.extract_lane(f32x4.pmin(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2)), 0)
  }
  for (; i < count; i++) {
    const value = load<f32>(x + ((<usize>i) << 2))
    if (value < low) low = value
  }
  return low
}

/** Greatest of `count` floats; -infinity for none. */
export function largest(x: usize, count: i32): f32 {
  let high: f32 = -Infinity
  let i = 0
  if (count >= 4) {
    let m = v128.load(x)
    for (i = 4; i + 4 <= count; i += 4) m = f32x4.pmax(m, v128.load(x + ((<usize>i) << 2)))
    m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1))
    high = f32x4.extract_lane(f32x4.pmax(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2)), 0)
  }
  for (; i < count; i++) {
    const value = load<f32>(x + ((<usize>i) << 2))
    if (value > high) high = value
  }
  return high
}

/** 0 where `count` floats are finite, NaN elsewhere: added to what is derived from them it makes that NaN too. */
export function poison(x: usize, count: i32): f32 {
  const nothing = f32x4.splat(0)
  let sum = nothing
  let i = 0
  for (; i + 4 <= count; i += 4) sum = f32x4.add(sum, f32x4.mul(v128.load(x + ((<usize>i) << 2)), nothing))
  sum = f32x4.add(sum, v128.shuffle<f32>(sum, sum, 2, 3, 0, 1))
  let single = f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1)
  for (; i < count; i++) single += load<f32>(x + ((<usize>i) << 2)) * 0
  return single
}
