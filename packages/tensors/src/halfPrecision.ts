/** Conversions between numbers and the bit patterns of bfloat16 and IEEE half precision; round to nearest, ties to even. */

const word = new Uint32Array(1)
const real = new Float32Array(word.buffer)

/** Pattern of the bfloat16 nearest to the f32 of `value`; NaN stays NaN. */
export const toBfloat16 = (value: number): number => {
  real[0] = value
  const bits = word[0]!
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff
}

/** The number a bfloat16 pattern means. */
export const fromBfloat16 = (pattern: number): number => {
  word[0] = pattern << 16
  return real[0]!
}

/** Pattern of the half nearest to the f32 of `value`; overflow to infinity, subnormals kept. */
export const toFloat16 = (value: number): number => {
  real[0] = value
  const bits = word[0]!
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x477ff000) return sign | 0x7c00 // 65520 and above round to infinity
  if (magnitude < 0x38800000) {
    // Subnormal halves are multiples of 2^-24: adding 0.5 in f32 rounds to exactly that grid, ties to even.
    word[0] = magnitude
    real[0] = real[0]! + 0.5
    return sign | (word[0]! - 0x3f000000)
  }
  const rebased = magnitude - 0x38000000
  return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13)
}

/** The number a half pattern means. */
export const fromFloat16 = (pattern: number): number => {
  const sign = pattern & 0x8000 ? -1 : 1
  const exponent = (pattern >>> 10) & 31
  const fraction = pattern & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}
