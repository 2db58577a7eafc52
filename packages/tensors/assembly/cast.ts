/** Conversions between f32 (type 0), bfloat16 (1) and half (2); to nearest, ties to even. */
import { weight } from "./storage"

/** Pattern of the bfloat16 nearest to x; NaN stays NaN. */
function toBfloat16(x: f32): u32 {
  const bits = reinterpret<u32>(x)
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >> 16) | 0x40
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16
}

/** Pattern of the half nearest to x: 65520 and above are infinity, subnormal halves are kept. */
function toFloat16(x: f32): u32 {
  const bits = reinterpret<u32>(x)
  const sign = (bits >> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  // Subnormal halves are multiples of 2^-24: adding 1/2 rounds to just that grid.
  if (magnitude < 0x38800000) {
    return sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + <f32>0.5) - 0x3f000000)
  }
  const rebased = magnitude - 0x38000000
  return sign | ((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13)
}

/** x rounded to the half nearest to it. */
export function roundToHalf(x: f32): f32 {
  const pattern = toFloat16(x)
  const magnitude = (pattern & 0x7fff) << 13
  const finite = reinterpret<u32>(reinterpret<f32>(magnitude) * reinterpret<f32>(0x77800000))
  const exponent: u32 = magnitude >= 0x0f800000 ? 0x7f800000 : 0
  return reinterpret<f32>(finite | exponent | ((pattern & 0x8000) << 16))
}

/** Four numbers rounded to the bfloat16 nearest to each; NaN stays NaN. */
export function roundLanesToBfloat16(x: v128): v128 {
  const odd = v128.and(i32x4.shr_u(x, 16), i32x4.splat(1))
  const up = i32x4.add(i32x4.add(x, i32x4.splat(0x7fff)), odd)
  return v128.bitselect(v128.and(up, i32x4.splat(<i32>0xffff0000)), x, f32x4.eq(x, x))
}

/** x rounded to the bfloat16 nearest to it. */
export function roundToBfloat16(x: f32): f32 {
  return reinterpret<f32>(toBfloat16(x) << 16)
}

/** y = x as type `to`. */
export function cast(_first: i32, count: i32, x: usize, y: usize, from: i32, to: i32): void {
  for (let i = 0; i < count; i++) {
    const value = weight(x, i, from)
    if (to === 0) store<f32>(y + ((<usize>i) << 2), value)
    else store<u16>(y + ((<usize>i) << 1), <u16>(to === 1 ? toBfloat16(value) : toFloat16(value)))
  }
}
