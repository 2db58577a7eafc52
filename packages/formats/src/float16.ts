/** IEEE 754 binary16 <-> float32, exactly, with subnormals, infinities and NaN payloads. */

/** float32 pattern of a binary16 pattern: sign 1, exponent 5 (bias 15), mantissa 10 -> sign 1, exponent 8 (bias 127), mantissa 23. */
const widen = (half: number): number => {
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

/** binary16 pattern nearest to a float32 pattern, ties to even. */
const narrow = (x: number): number => {
  const sign = (x >>> 16) & 0x8000
  const magnitude = x & 0x7fffffff
  if (magnitude > 0x7f800000) {
    // A NaN keeps the payload that fits; the quiet bit is set only where nothing is left and it would read as infinity.
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

/**
 * Widens binary16 patterns [n] to float32 [n], every value and NaN payload exactly.
 * Writes into `target` when given (at least n elements) and returns it.
 */
export const f16ToF32 = (source: Uint16Array, target: Float32Array = new Float32Array(source.length)): Float32Array => {
  // Integer bits, not numbers: a NaN that passes through a JavaScript number may lose its payload.
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length)
  for (let i = 0; i < source.length; i++) bits[i] = widen(source[i]!)
  return target
}

/**
 * Rounds float32 [n] to the nearest binary16 patterns [n]: ties to even, from 65520 up to infinity, small values to subnormals, NaN to NaN.
 * Writes into `target` when given (at least n elements) and returns it.
 */
export const f32ToF16 = (source: Float32Array, target: Uint16Array = new Uint16Array(source.length)): Uint16Array => {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length)
  for (let i = 0; i < bits.length; i++) target[i] = narrow(bits[i]!)
  return target
}
