/**
 * Codes of 1 to 8 bits as bytes: a little-endian bit stream, code i in bits [i b, (i + 1) b). Exact for any count;
 * the last byte is filled with zero bits.
 */

/** Bytes that `count` codes of `bits` bits take. */
export const packedBytes = (count: number, bits: number): number => Math.ceil((count * bits) / 8)

const checkBits = (bits: number): void => {
  if (!Number.isInteger(bits) || bits < 1 || bits > 8)
    throw new RangeError(`codes of ${bits} bits; 1 to 8 can be packed`)
}

/** Packs codes, each below 2^bits. Raises RangeError. */
export const packBits = (codes: Uint8Array, bits: number): Uint8Array => {
  checkBits(bits)
  const packed = new Uint8Array(packedBytes(codes.length, bits))
  let buffer = 0
  let held = 0
  let next = 0
  let largest = 0
  // An iterator takes four times as long.
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!
    if (code > largest) largest = code
    buffer |= code << held
    held += bits
    while (held >= 8) {
      packed[next++] = buffer & 255
      buffer >>>= 8
      held -= 8
    }
  }
  if (held > 0) packed[next] = buffer & 255
  // A code with more bits would have run into its neighbours.
  if (largest >= 1 << bits) throw new RangeError(`code ${largest} does not fit ${bits} bits`)
  return packed
}

/** The first `count` codes of a packed stream. Raises RangeError when it is too short. */
export const unpackBits = (packed: Uint8Array, bits: number, count: number): Uint8Array => {
  checkBits(bits)
  if (packed.length < packedBytes(count, bits)) {
    throw new RangeError(`${count} codes of ${bits} bits are ${packedBytes(count, bits)} bytes, not ${packed.length}`)
  }
  const codes = new Uint8Array(count)
  const mask = (1 << bits) - 1
  let buffer = 0
  let held = 0
  let next = 0
  for (let i = 0; i < count; i++) {
    if (held < bits) {
      buffer |= packed[next++]! << held
      held += 8
    }
    codes[i] = buffer & mask
    buffer >>>= bits
    held -= bits
  }
  return codes
}
