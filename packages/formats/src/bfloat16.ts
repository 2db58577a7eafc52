/** bfloat16 <-> float32, exactly: a bfloat16 is the upper half of a float32. */

/**
 * Widens bfloat16 patterns [n] to float32 [n], every value and NaN payload exactly.
 * Writes into `target` when given (at least n elements) and returns it.
 */
export const bf16ToF32 = (
  source: Uint16Array,
  target: Float32Array = new Float32Array(source.length)
): Float32Array => {
  // Integer bits, not numbers: a NaN that passes through a JavaScript number may lose its payload.
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length)
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16
  return target
}

/**
 * Rounds float32 [n] to the nearest bfloat16 patterns [n], ties to even, overflow to infinity, NaN to NaN.
 * Writes into `target` when given (at least n elements) and returns it.
 */
export const f32ToBf16 = (source: Float32Array, target: Uint16Array = new Uint16Array(source.length)): Uint16Array => {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length)
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!
    if ((x & 0x7fffffff) > 0x7f800000) {
      // A NaN keeps the payload that fits; the quiet bit is set only where nothing is left and it would read as infinity.
      target[i] = (x >>> 16) | ((x & 0x007f0000) === 0 ? 0x40 : 0)
    } else {
      // Half a unit less one, plus the last kept bit: a tie moves up only from an odd pattern. A carry goes into the exponent, rightly.
      target[i] = (x + 0x7fff + ((x >>> 16) & 1)) >>> 16
    }
  }
  return target
}
