/** Exponential, logarithm and normal distribution of four f32 at a time, to a few units in the last place. */
import { fma } from "./simd"

/** Adding 1.5 * 2^23 rounds to a whole number, which is then in the low bits. */
const rounder: f32 = 12582912.0

/**
 * e^x: x = n ln 2 + r with |r| <= ln 2 / 2, e^r a minimax polynomial (relative error 2e-9), times 2^n.
 * Results below 1.6e-38 are 0, above the largest f32 infinity; NaN stays NaN.
 */
export function exp(x: v128): v128 {
  // pmin keeps a NaN in its first operand.
  const most = f32x4.pmin(x, f32x4.splat(89.0))
  const shifted = fma(most, f32x4.splat(Mathf.LOG2E), f32x4.splat(rounder))
  const n = f32x4.sub(shifted, f32x4.splat(rounder))
  // ln 2 in two parts, the first of so few bits that n times it is exact.
  let r = fma(n, f32x4.splat(-0.693359375), most)
  r = fma(n, f32x4.splat(2.1219444e-4), r)
  let p = fma(r, f32x4.splat(0.0013843466294929385), f32x4.splat(0.008374316617846489))
  p = fma(p, r, f32x4.splat(0.041668012738227844))
  p = fma(p, r, f32x4.splat(0.16666428744792938))
  p = fma(p, r, f32x4.splat(0.4999999403953552))
  p = fma(p, r, f32x4.splat(1.0))
  p = fma(p, r, f32x4.splat(1.0))
  // 2^(n-1), doubled afterwards: 2^128 itself is no f32.
  const power = i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(126 << 23))
  const y = f32x4.mul(f32x4.mul(p, power), f32x4.splat(2.0))
  return v128.andnot(y, f32x4.lt(x, f32x4.splat(-87.0)))
}

/** 1 / (1 + e^-x) */
export function sigmoid(x: v128): v128 {
  return f32x4.div(f32x4.splat(1.0), f32x4.add(f32x4.splat(1.0), exp(f32x4.neg(x))))
}

/**
 * ln x of positive normal numbers: x = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = f - f^2/2 + f^3 P(f), f = m - 1
 * (relative error 3e-8). Other x give no meaningful result.
 */
export function log(x: v128): v128 {
  // Subtracting the pattern of sqrt(1/2) makes the exponent field e, rounded down.
  const offset = i32x4.sub(x, i32x4.splat(0x3f3504f3))
  const e = i32x4.shr_s(offset, 23)
  const m = i32x4.add(v128.and(offset, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3))
  const f = f32x4.sub(m, f32x4.splat(1.0))
  let p = fma(f, f32x4.splat(0.08700430393218994), f32x4.splat(-0.14267486333847046))
  p = fma(p, f, f32x4.splat(0.14914768934249878))
  p = fma(p, f, f32x4.splat(-0.1657758504152298))
  p = fma(p, f, f32x4.splat(0.19963063299655914))
  p = fma(p, f, f32x4.splat(-0.2500133812427521))
  p = fma(p, f, f32x4.splat(0.3333390951156616))
  const square = f32x4.mul(f, f)
  const n = f32x4.convert_i32x4_s(e)
  let y = fma(f32x4.mul(square, f), p, f32x4.mul(n, f32x4.splat(-2.1219444e-4)))
  y = fma(square, f32x4.splat(-0.5), y)
  return fma(n, f32x4.splat(0.693359375), f32x4.add(f, y))
}

/** x^exponent for x in [0, infinity): 0 for x = 0, 1 for an exponent of 0. */
export function pow(x: v128, exponent: f32): v128 {
  if (exponent === 0) return f32x4.splat(1.0)
  const y = exp(f32x4.mul(log(x), f32x4.splat(exponent)))
  return v128.andnot(y, f32x4.lt(x, f32x4.splat(1.17549435e-38)))
}

/**
 * Phi(x) - 1/2 = x P(x^2) / Q(x^2) for |x| <= 5.6 (absolute error 1e-8), and +-1/2 beyond: the distribution of the standard
 * normal. NaN stays NaN.
 */
export function centredNormal(x: v128): v128 {
  const bounded = f32x4.pmax(f32x4.pmin(x, f32x4.splat(5.6)), f32x4.splat(-5.6))
  const t = f32x4.mul(bounded, bounded)
  let p = fma(t, f32x4.splat(2.223021e-8), f32x4.splat(6.3107486e-6))
  p = fma(p, t, f32x4.splat(0.00017065635))
  p = fma(p, t, f32x4.splat(0.004687988))
  p = fma(p, t, f32x4.splat(0.03408812))
  p = fma(p, t, f32x4.splat(0.39894226))
  let q = fma(t, f32x4.splat(1.1792448e-6), f32x4.splat(7.394529e-5))
  q = fma(q, t, f32x4.splat(0.0018952462))
  q = fma(q, t, f32x4.splat(0.028770871))
  q = fma(q, t, f32x4.splat(0.25211248))
  q = fma(q, t, f32x4.splat(1.0))
  const y = f32x4.div(f32x4.mul(bounded, p), q)
  const tail = f32x4.gt(f32x4.abs(x), f32x4.splat(5.5))
  return v128.bitselect(v128.or(f32x4.splat(0.5), v128.and(x, f32x4.splat(-0.0))), y, tail)
}
