/**
 * Exponential, logarithm and normal distribution of four f32 at a time, to a few units in the last place.
 * Inlined into the loops that use them, with constants loaded from a table: V8 builds a constant vector anew by three
 * instructions at each use, and calls keep loops from overlapping.
 */
import { fma } from "./simd"

const table = memory.data<f32>([
  // 0: 1/2, 1, 2
  0.5, 1.0, 2.0,
  // 3: of exp: largest argument, smallest argument, log2(e), 1.5 * 2^23, -ln 2 in two parts, the first of few bits; -ln 2
  89.0, -87.0, 1.44269504, 12582912.0, -0.693359375, 2.1219444e-4, -0.6931471806,
  // 10: minimax coefficients of e^r, from r^5 down to r^1
  0.00829014182, 0.0418988549, 0.166676446, 0.499991417, 0.999999702,
  // 15: minimax coefficients P of ln(1 + f) = f - f^2/2 + f^3 P(f), from f^6 down to f^0
  0.08700430393218994, -0.14267486333847046, 0.14914768934249878, -0.1657758504152298, 0.19963063299655914,
  -0.2500133812427521, 0.3333390951156616,
  // 22: numerator and denominator of (Phi(x) - 1/2) / x in x^2, highest power first, without the denominator's 1
  2.223021e-8, 6.3107486e-6, 0.00017065635, 0.004687988, 0.03408812, 0.39894226,
  1.1792448e-6, 7.394529e-5, 0.0018952462, 0.028770871, 0.25211248,
  // 33: where this quotient is 1/2 to the last bit, fused or not, and its negative; 1 / sqrt(2 pi)
  5.547, -5.547, 0.3989422804014327,
  // 36: minimax coefficients P of log2 m = z P(z^2), highest power first
  0.5989757, 0.96147073, 2.88539129,
  // 39: minimax coefficients of 2^r, from r^5 down to r^1; exponent below which a power of a share is 0
  0.00132647, 0.00967151, 0.05550734, 0.24022242, 0.69314698, -64.0,
  // 45: the sign bit; of log: sqrt(1/2) and the bits of a fraction, as patterns; an |x| whose e^-|x| is nothing beside 1
  -0.0, 0.70710677, 1.1754942e-38, 64.0
])

@inline
function constant(index: usize): v128 {
  return v128.load32_splat(table + (index << 2))
}

/** x - n ln 2. The product is exact when it is fused; else ln 2 is taken in two parts, the first of so few bits that it is. */
@inline
function remainder(x: v128, n: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return fma(n, constant(9), x)
  return fma(n, constant(8), fma(n, constant(7), x))
}

/** e^r for |r| <= ln 2 / 2 (relative error 1e-7). */
@inline
function expPolynomial(r: v128): v128 {
  let p = fma(r, constant(10), constant(11))
  p = fma(p, r, constant(12))
  p = fma(p, r, constant(13))
  p = fma(p, r, constant(14))
  return fma(p, r, constant(1))
}

/** e^x = 2^n e^r with x = n ln 2 + r. Results below 1.6e-38 are 0, above the largest f32 infinity; NaN stays NaN. */
@inline
export function exp(x: v128): v128 {
  // pmin keeps a NaN in its first operand.
  const most = f32x4.pmin(x, constant(3))
  // Adding 1.5 * 2^23 rounds to a whole number, which is then in the low bits.
  const shifted = fma(most, constant(5), constant(6))
  const p = expPolynomial(remainder(most, f32x4.sub(shifted, constant(6))))
  // 2^(n-1) by its exponent field, above that of 1/2; doubled afterwards: 2^128 itself is no f32.
  const power = i32x4.add(i32x4.shl(shifted, 23), constant(0))
  const y = f32x4.mul(f32x4.mul(p, power), constant(2))
  return v128.andnot(y, f32x4.lt(x, constant(4)))
}

/** e^x for x <= 0, as after a largest value was taken away; the rest as in exp. */
@inline
export function expNegative(x: v128): v128 {
  const shifted = fma(x, constant(5), constant(6))
  const p = expPolynomial(remainder(x, f32x4.sub(shifted, constant(6))))
  const power = i32x4.add(i32x4.shl(shifted, 23), constant(1))
  return v128.andnot(f32x4.mul(p, power), f32x4.lt(x, constant(4)))
}

/** 1 / (1 + e^-x) */
@inline
export function sigmoid(x: v128): v128 {
  return f32x4.div(constant(1), f32x4.add(constant(1), exp(f32x4.neg(x))))
}

/** |x| */
@inline
export function magnitude(x: v128): v128 {
  return v128.andnot(x, constant(45))
}

/** The sign bit of x. */
@inline
export function signOf(x: v128): v128 {
  return v128.and(x, constant(45))
}

/** 1 / (1 + e^-|x|), in [1/2, 1]. */
@inline
export function upperSigmoid(x: v128): v128 {
  // pmin keeps a NaN in its first operand.
  const most = f32x4.pmin(magnitude(x), constant(48))
  const shifted = f32x4.sub(constant(6), f32x4.mul(most, constant(5)))
  const n = f32x4.sub(shifted, constant(6))
  const p = expPolynomial(remainder(f32x4.neg(most), n))
  const power = i32x4.add(i32x4.shl(shifted, 23), constant(1))
  return f32x4.div(constant(1), fma(p, power, constant(1)))
}

/**
 * ln x of positive normal numbers: x = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = f - f^2/2 + f^3 P(f), f = m - 1
 * (relative error 3e-8). Other x give no meaningful result.
 */
@inline
export function log(x: v128): v128 {
  // Subtracting the pattern of sqrt(1/2) makes the exponent field e, rounded down.
  const root = i32x4.splat(0x3f3504f3)
  const offset = i32x4.sub(x, root)
  const e = i32x4.shr_s(offset, 23)
  const m = i32x4.add(v128.and(offset, i32x4.splat(0x007fffff)), root)
  const f = f32x4.sub(m, constant(1))
  let p = fma(f, constant(15), constant(16))
  p = fma(p, f, constant(17))
  p = fma(p, f, constant(18))
  p = fma(p, f, constant(19))
  p = fma(p, f, constant(20))
  p = fma(p, f, constant(21))
  const square = f32x4.mul(f, f)
  const n = f32x4.convert_i32x4_s(e)
  let y = f32x4.sub(f32x4.mul(f32x4.mul(square, f), p), f32x4.mul(n, constant(8)))
  y = f32x4.sub(y, f32x4.mul(square, constant(0)))
  return f32x4.sub(f32x4.add(f, y), f32x4.mul(n, constant(7)))
}

/**
 * x^exponent for x in [0, 1], 0 below 2^-64 (relative error 3e-6): x = m 2^e with m in [sqrt(1/2), sqrt(2)),
 * log2 m = z P(z^2), z = (m - 1) / (m + 1); then 2^t = 2^n 2^r with t = n + r. NaN gives a number.
 */
@inline
export function powerOfShare(x: v128, exponent: v128): v128 {
  const offset = i32x4.sub(x, constant(46))
  const e = f32x4.convert_i32x4_s(i32x4.shr_s(offset, 23))
  const m = i32x4.add(v128.and(offset, constant(47)), constant(46))
  const z = f32x4.div(f32x4.sub(m, constant(1)), f32x4.add(m, constant(1)))
  const square = f32x4.mul(z, z)
  const p = fma(fma(square, constant(36), constant(37)), square, constant(38))
  const t = f32x4.mul(fma(p, z, e), exponent)
  const shifted = f32x4.add(t, constant(6))
  const r = f32x4.sub(t, f32x4.sub(shifted, constant(6)))
  let q = fma(r, constant(39), constant(40))
  q = fma(q, r, constant(41))
  q = fma(q, r, constant(42))
  q = fma(q, r, constant(43))
  q = fma(q, r, constant(1))
  const power = i32x4.add(i32x4.shl(shifted, 23), constant(1))
  return v128.andnot(f32x4.mul(q, power), f32x4.lt(t, constant(44)))
}

/**
 * Phi(x) - 1/2 = x P(x^2) / Q(x^2), the distribution of the standard normal (absolute error 1e-7); exactly +-1/2 from
 * |x| = 5.547 on. NaN stays NaN.
 */
@inline
function centredNormal(x: v128): v128 {
  const bounded = f32x4.pmax(f32x4.pmin(x, constant(33)), constant(34))
  const t = f32x4.mul(bounded, bounded)
  let p = fma(t, constant(22), constant(23))
  p = fma(p, t, constant(24))
  p = fma(p, t, constant(25))
  p = fma(p, t, constant(26))
  p = fma(p, t, constant(27))
  let q = fma(t, constant(28), constant(29))
  q = fma(q, t, constant(30))
  q = fma(q, t, constant(31))
  q = fma(q, t, constant(32))
  q = fma(q, t, constant(1))
  return f32x4.div(f32x4.mul(bounded, p), q)
}

/** x Phi(x) */
@inline
export function gelu(x: v128): v128 {
  return f32x4.mul(x, f32x4.add(constant(0), centredNormal(x)))
}

/** Phi(x) + x exp(-x^2 / 2) / sqrt(2 pi) */
@inline
export function geluSlope(x: v128): v128 {
  const density = f32x4.mul(expNegative(f32x4.neg(f32x4.mul(f32x4.mul(x, x), constant(0)))), constant(35))
  return fma(x, density, f32x4.add(constant(0), centredNormal(x)))
}
