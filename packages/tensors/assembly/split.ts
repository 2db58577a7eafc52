/**
 * An f32 as the sum of three bf16, exactly: x = high + middle + low, each the next 8 of the 24 bits of its fraction. Three
 * products of bf16 matrices summed in f32 then are a product in f32 (as long as nothing is below 2^-126).
 */

/** The upper halves of eight f32: their bf16, cut off. */
@inline
function upperHalves(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
}

/** Sign, exponent and the upper 7 bits of the fraction, with NaN kept one. */
@inline
function cut(x: v128): v128 {
  const quiet = v128.and(f32x4.ne(x, x), i32x4.splat(0x00400000))
  return v128.and(v128.or(x, quiet), i32x4.splat(0xffff0000))
}

/** What is left of x without its high part: nothing of infinity and NaN, which that part carries alone. */
@inline
function rest(x: v128, high: v128): v128 {
  const greatest = i32x4.splat(0x7f800000)
  const special = i32x4.eq(v128.and(x, greatest), greatest)
  return v128.andnot(f32x4.sub(x, high), special)
}

/** Splits `count` numbers. */
export function splitBfloat16(_first: i32, count: i32, x: usize, high: usize, middle: usize, low: usize): void {
  const whole = count & ~7
  for (let i = 0; i < whole; i += 8) {
    const at = (<usize>i) << 1
    const a = v128.load(x + (at << 1))
    const b = v128.load(x + (at << 1), 16)
    const highA = cut(a)
    const highB = cut(b)
    const restA = rest(a, highA)
    const restB = rest(b, highB)
    const middleA = cut(restA)
    const middleB = cut(restB)
    v128.store(high + at, upperHalves(highA, highB))
    v128.store(middle + at, upperHalves(middleA, middleB))
    v128.store(low + at, upperHalves(f32x4.sub(restA, middleA), f32x4.sub(restB, middleB)))
  }
  for (let i = whole; i < count; i++) {
    const at = (<usize>i) << 1
    const a = v128.load32_zero(x + (at << 1))
    const highA = cut(a)
    const restA = rest(a, highA)
    const middleA = cut(restA)
    v128.store16_lane(high + at, highA, 1)
    v128.store16_lane(middle + at, middleA, 1)
    v128.store16_lane(low + at, f32x4.sub(restA, middleA), 1)
  }
}
