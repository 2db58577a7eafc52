/** Functions of numbers for programs. They stay in f32 wherever the mode computes in f32, and are flat. */

/** floor(a / b) of whole numbers below 2^20: the half keeps an inexact division away from the whole numbers. */
export function quotient(a: number, b: number): number {
  return Math.floor((a + 0.5) / b)
}

/**
 * The f32 nearest to a / b. GPUs divide to 2.5 units in the last place; the remainder a - q b, taken exactly through halves of
 * 12 bits, corrects that. It changes nothing where division is exact already.
 */
export function divided(a: number, b: number): number {
  const q = Math.fround(a / b)
  const product = q * b
  const wideQ = q * 4097
  const highQ = wideQ - (wideQ - q)
  const lowQ = q - highQ
  const wideB = b * 4097
  const highB = wideB - (wideB - b)
  const lowB = b - highB
  const lost = highQ * highB - product + highQ * lowB + lowQ * highB + lowQ * lowB
  const corrected = Math.fround(q + (a - product - lost) / b)
  if (corrected >= 0) {
    return corrected
  }
  if (corrected < 0) {
    return corrected
  }
  return q // infinite, or not a number
}

/** Rounds to the nearest whole number, ties to even; Math.round would take ties up. */
export function halfEven(value: number): number {
  const down = Math.floor(value)
  const fraction = value - down
  if (fraction < 0.5) {
    return down
  }
  if (fraction > 0.5) {
    return down + 1
  }
  // What is left are ties, and NaN.
  if (Math.floor(down * 0.5) * 2 === down) {
    return down
  }
  return down + 1
}

/** value, not below low and not above high; NaN stays. */
export function limited(value: number, low: number, high: number): number {
  if (value < low) {
    return low
  }
  if (value > high) {
    return high
  }
  return value
}

/** value, not below low; NaN stays, where Math.max of some GPUs gives low. */
export function atLeast(value: number, low: number): number {
  if (value < low) {
    return low
  }
  return value
}

/** exp(x), and NaN for NaN, which some GPUs would turn into a number. */
export function power(x: number): number {
  if (x < 1e30) {
    return Math.exp(x)
  }
  return x
}

/** log(x) of a sum of powers: -infinity for 0, and NaN for NaN, which some GPUs would turn into numbers. */
export function logarithm(x: number): number {
  if (x > 0) {
    return Math.log(x)
  }
  return x * 1e38 - (1 - x) * 1e38 * 1e38
}

/** 1 / (1 + exp(-x)) */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

/**
 * Cumulative distribution of the standard normal, to 1e-7. Near 0 a polynomial of erf in z^2, z = |x| / sqrt 2; beyond 1
 * erfc = exp(-z^2) t Q(t), t = 1 / (1 + 0.4 z). Both are least-maximum fits made for this file.
 */
export function normalCdf(x: number): number {
  const z = Math.abs(x) * Math.SQRT1_2
  if (z < 1) {
    const u = z * z
    let p = 7.87899e-5
    p = p * u - 0.0008014566
    p = p * u + 0.0051883827
    p = p * u - 0.0268535394
    p = p * u + 0.1128356804
    p = p * u - 0.3761262254
    p = p * u + 1.1283791642
    return 0.5 + 0.3535533905932738 * x * p
  }
  const t = 1 / (1 + 0.4 * z)
  let q = -0.1147100762
  q = q * t + 0.2393728704
  q = q * t + 0.0129267251
  q = q * t + 0.2104027429
  q = q * t + 0.1995966148
  q = q * t + 0.2265643155
  q = q * t + 0.2256350901
  const tail = 0.5 * Math.exp(-0.5 * x * x) * t * q
  if (x < 0) {
    return tail
  }
  return 1 - tail
}

/** A positive normal number rounded to `levels` steps a binade (a power of two; `step` its inverse), ties to even. Exact. */
export function roundSignificand(size: number, levels: number, step: number): number {
  let rest = size
  let power = 1
  if (rest >= 18446744073709552000) {
    rest = rest * 5.421010862427522e-20
    power = power * 18446744073709552000
  }
  if (rest >= 4294967296) {
    rest = rest * 2.3283064365386963e-10
    power = power * 4294967296
  }
  if (rest >= 65536) {
    rest = rest * 0.0000152587890625
    power = power * 65536
  }
  if (rest >= 256) {
    rest = rest * 0.00390625
    power = power * 256
  }
  if (rest >= 16) {
    rest = rest * 0.0625
    power = power * 16
  }
  if (rest >= 4) {
    rest = rest * 0.25
    power = power * 4
  }
  if (rest >= 2) {
    rest = rest * 0.5
    power = power * 2
  }
  if (rest < 1.0842021724855044e-19) {
    rest = rest * 18446744073709552000
    power = power * 5.421010862427522e-20
  }
  if (rest < 4.656612873077393e-10) {
    rest = rest * 4294967296
    power = power * 2.3283064365386963e-10
  }
  if (rest < 0.000030517578125) {
    rest = rest * 65536
    power = power * 0.0000152587890625
  }
  if (rest < 0.0078125) {
    rest = rest * 256
    power = power * 0.00390625
  }
  if (rest < 0.125) {
    rest = rest * 16
    power = power * 0.0625
  }
  if (rest < 0.5) {
    rest = rest * 4
    power = power * 0.25
  }
  if (rest < 1) {
    rest = rest * 2
    power = power * 0.5
  }
  return halfEven(rest * levels) * step * power
}

/** The bfloat16 nearest to x, ties to even; past the largest to infinity. Modes that flush subnormals give 0 for them. */
export function roundBfloat16(x: number): number {
  if (x === 0) {
    return x // keeps the sign of zero
  }
  const size = Math.abs(Math.fround(x))
  let rounded = size
  if (size >= 1.1754943508222875e-38 && size <= 3.4028234663852886e38) {
    rounded = Math.fround(roundSignificand(size, 128, 0.0078125))
  }
  if (size < 1.1754943508222875e-38) {
    // Multiples of 2^-133.
    rounded = halfEven(size * 1.2676506002282294e30 * 8589934592) * 7.888609052210118e-31 * 1.1641532182693481e-10
  }
  if (x < 0) {
    return -rounded
  }
  return rounded
}

/** The IEEE half nearest to x, ties to even; 65520 and above become infinity. */
export function roundFloat16(x: number): number {
  if (x === 0) {
    return x // keeps the sign of zero
  }
  const size = Math.abs(Math.fround(x))
  let rounded = size
  if (size >= 0.00006103515625 && size < 65520) {
    rounded = roundSignificand(size, 1024, 0.0009765625)
  }
  if (size < 0.00006103515625) {
    // Multiples of 2^-24.
    rounded = halfEven(size * 16777216) * 5.9604644775390625e-8
  }
  if (size >= 65520) {
    rounded = Math.fround(size * 1e38 * 1e38)
  }
  if (x < 0) {
    return -rounded
  }
  return rounded
}

/** What every elementary operation of a quantizer is rounded to: f32, or bf16 where `bf16` is 1. */
export function rounded(x: number, bf16: number): number {
  if (bf16 > 0.5) {
    return roundBfloat16(x)
  }
  return Math.fround(x)
}

/** What the roundings above call. */
export const roundingHelpers = [divided, halfEven, roundSignificand, roundBfloat16, roundFloat16, rounded]
