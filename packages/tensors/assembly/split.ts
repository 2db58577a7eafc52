/**
 * Factors of products in bf16: rounded to it, or split into parts. An f32 as the sum of three bf16, exactly: x = high + middle + low, each the next 8 of the 24 bits of its fraction. Three
 * products of bf16 matrices summed in f32 then are a product in f32 (as long as nothing is below 2^-126).
 */
import { roundLanesToBfloat16 } from "./cast"

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

/** Splits eight numbers. */
@inline
function splitEight(x: usize, high: usize, middle: usize, low: usize): void {
  const a = v128.load(x)
  const b = v128.load(x, 16)
  const highA = cut(a)
  const highB = cut(b)
  const restA = rest(a, highA)
  const restB = rest(b, highB)
  const middleA = cut(restA)
  const middleB = cut(restB)
  v128.store(high, upperHalves(highA, highB))
  v128.store(middle, upperHalves(middleA, middleB))
  v128.store(low, upperHalves(f32x4.sub(restA, middleA), f32x4.sub(restB, middleB)))
}

/** The bf16 nearest to each of eight numbers. */
@inline
function roundEight(x: usize, y: usize): void {
  const a = roundLanesToBfloat16(v128.load(x))
  const b = roundLanesToBfloat16(v128.load(x, 16))
  v128.store(y, upperHalves(a, b))
}

/** y = the bf16 nearest to x. y may begin where x does: what is written never passes what is still to be read. */
export function roundBfloat16(_first: i32, count: i32, x: usize, y: usize): void {
  const whole = <usize>(count & ~7)
  for (let i: usize = 0; i < whole; i += 8) roundEight(x + (i << 2), y + (i << 1))
  for (let i = whole; i < <usize>count; i++) {
    v128.store16_lane(y + (i << 1), roundLanesToBfloat16(v128.load32_zero(x + (i << 2))), 1)
  }
}

/** y = the bf16 nearest to x, kept as an f32. */
export function roundValues(_first: i32, count: i32, x: usize, y: usize): void {
  const whole = <usize>(count & ~3)
  for (let i: usize = 0; i < whole; i += 4) v128.store(y + (i << 2), roundLanesToBfloat16(v128.load(x + (i << 2))))
  for (let i = whole; i < <usize>count; i++) {
    v128.store32_lane(y + (i << 2), roundLanesToBfloat16(v128.load32_zero(x + (i << 2))), 0)
  }
}

/** Splits `count` numbers, two runs of them at once: memory is read faster in two places than in one. */
export function splitBfloat16(_first: i32, count: i32, x: usize, high: usize, middle: usize, low: usize): void {
  const run = <usize>((count >> 4) << 3)
  for (let i: usize = 0; i < run; i += 8) {
    const at = i << 1
    const far = (i + run) << 1
    splitEight(x + (at << 1), high + at, middle + at, low + at)
    splitEight(x + (far << 1), high + far, middle + far, low + far)
  }
  for (let i: usize = 2 * run; i < <usize>count; i++) {
    const at = i << 1
    const a = v128.load32_zero(x + (at << 1))
    const highA = cut(a)
    const restA = rest(a, highA)
    const middleA = cut(restA)
    v128.store16_lane(high + at, highA, 1)
    v128.store16_lane(middle + at, middleA, 1)
    v128.store16_lane(low + at, f32x4.sub(restA, middleA), 1)
  }
}
