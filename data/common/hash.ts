/** A number that a text alone decides: which split a scene belongs to. */

/** 32-bit FNV-1a of a text's UTF-8 bytes. */
export const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193)
  return value >>> 0
}
