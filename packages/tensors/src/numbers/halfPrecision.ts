/**
 * bfloat16 and IEEE binary16 to and from float32, of one number or of an array: widening is exact (subnormals, infinities,
 * NaN payloads), narrowing rounds to nearest, ties to even.
 */

/** float32 pattern of a bfloat16 pattern: its upper half. */
const widenBfloat16 = (pattern: number): number => pattern << 16

/** bfloat16 pattern nearest to a float32 pattern; overflow to infinity. */
const narrowBfloat16 = (x: number): number => {
  if ((x & 0x7fffffff) > 0x7f800000) {
    // A NaN keeps the payload that fits; the quiet bit is set only where nothing is left and it would read as infinity.
    return (x >>> 16) | ((x & 0x007f0000) === 0 ? 0x40 : 0)
  }
  // Half a unit less one, plus the last kept bit: a tie moves up only from an odd pattern. A carry goes into the exponent, rightly.
  return ((x + 0x7fff + ((x >>> 16) & 1)) >>> 16) & 0xffff
}

/** float32 pattern of a binary16 pattern: sign 1, exponent 5 (bias 15), mantissa 10 -> sign 1, exponent 8 (bias 127), mantissa 23. */
const widenFloat16 = (half: number): number => {
  const sign = (half & 0x8000) << 16
  const exponent = (half >>> 10) & 0x1f
  const mantissa = half & 0x3ff
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13)
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (mantissa << 13)
  if (mantissa === 0) return sign
  // Subnormal m * 2^-24, normal in float32: its leading one, at bit 31 - shift, moves to the hidden bit 23.
  const shift = Math.clz32(mantissa)
  return sign | ((134 - shift) << 23) | ((mantissa << (shift - 8)) & 0x7fffff)
}

/** binary16 pattern nearest to a float32 pattern: from 65520 up to infinity, small values to subnormals. */
const narrowFloat16 = (x: number): number => {
  const sign = (x >>> 16) & 0x8000
  const magnitude = x & 0x7fffffff
  if (magnitude > 0x7f800000) {
    const payload = (magnitude >>> 13) & 0x3ff
    return sign | 0x7c00 | (payload === 0 ? 0x200 : payload)
  }
  if (magnitude >= 0x477ff000) return sign | 0x7c00 // from 65520, half way past the largest finite 65504, up
  if (magnitude >= 0x38800000) {
    // From 2^-14, normal: rebias, round 13 bits off; a carry goes into the exponent, rightly.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
  }
  if (magnitude <= 0x33000000) return sign // up to 2^-25, half the smallest subnormal: zero, ties to even included
  // Subnormal: the mantissa with its hidden bit, in units of 2^-24.
  const shift = 126 - (magnitude >>> 23)
  const mantissa = (magnitude & 0x7fffff) | 0x800000
  const kept = mantissa >>> shift
  const rest = mantissa & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0))
}

const word = new Uint32Array(1)
const real = new Float32Array(word.buffer)

const numberOf =
  (widen: (pattern: number) => number) =>
  (pattern: number): number => {
    word[0] = widen(pattern)
    return real[0]!
  }

const patternOf =
  (narrow: (x: number) => number) =>
  (value: number): number => {
    real[0] = value
    return narrow(word[0]!)
  }

/** The number that a bfloat16 pattern means. */
export const fromBfloat16 = numberOf(widenBfloat16)

/** Pattern of the bfloat16 nearest to the f32 of `value`; NaN stays NaN. */
export const toBfloat16 = patternOf(narrowBfloat16)

/** The number that a binary16 pattern means. */
export const fromFloat16 = numberOf(widenFloat16)

/** Pattern of the binary16 nearest to the f32 of `value`; NaN stays NaN. */
export const toFloat16 = patternOf(narrowFloat16)

// Arrays are converted as integer patterns: a NaN that passes through a JavaScript number may lose its payload.
const bitsOf = ({ buffer, byteOffset, length }: Float32Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length)

/** bfloat16 patterns [n] as float32 [n]; into `target` when given (at least n elements), which is returned. */
export const bf16ToF32 = (
  source: Uint16Array,
  target: Float32Array = new Float32Array(source.length)
): Float32Array => {
  const bits = bitsOf(target)
  for (let i = 0; i < source.length; i++) bits[i] = widenBfloat16(source[i]!)
  return target
}

/** float32 [n] as the nearest bfloat16 patterns [n]; into `target` when given, which is returned. */
export const f32ToBf16 = (source: Float32Array, target: Uint16Array = new Uint16Array(source.length)): Uint16Array => {
  const bits = bitsOf(source)
  for (let i = 0; i < bits.length; i++) target[i] = narrowBfloat16(bits[i]!)
  return target
}

/** binary16 patterns [n] as float32 [n]; into `target` when given, which is returned. */
export const f16ToF32 = (source: Uint16Array, target: Float32Array = new Float32Array(source.length)): Float32Array => {
  const bits = bitsOf(target)
  for (let i = 0; i < source.length; i++) bits[i] = widenFloat16(source[i]!)
  return target
}

/** float32 [n] as the nearest binary16 patterns [n]; into `target` when given, which is returned. */
export const f32ToF16 = (source: Float32Array, target: Uint16Array = new Uint16Array(source.length)): Uint16Array => {
  const bits = bitsOf(source)
  for (let i = 0; i < bits.length; i++) target[i] = narrowFloat16(bits[i]!)
  return target
}
