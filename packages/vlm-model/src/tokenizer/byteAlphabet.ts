/** GPT-2's byte alphabet: every byte as one visible character, so that vocabularies and merges can be text files. */

const isVisible = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)

/** The 256 bytes in the order of their token ids: first those that are visible characters, then the other 68. */
export const bytesInIdOrder: ReadonlyArray<number> = [
  ...Array.from({ length: 256 }, (_, byte) => byte).filter(isVisible),
  ...Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !isVisible(byte))
]

/** Character of each byte: a visible one stands for itself, the others follow from U+0100 in byte order. */
export const byteCharacters: ReadonlyArray<string> = (() => {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isVisible(byte) ? byte : next++))
})()

const byteOfCharacter = new Map(byteCharacters.map((character, byte) => [character, byte]))

/** The token text of raw bytes. */
export const bytesToTokenText = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += byteCharacters[byte]
  return text
}

/** The raw bytes of a token text; undefined when a character is not of the byte alphabet. */
export const tokenTextToBytes = (text: string): Uint8Array | undefined => {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const byte = byteOfCharacter.get(text[i]!)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}
