/** Text as a Zstandard file whose blocks are stored: a valid file that any decompressor reads, made without a compressor. */

const largestBlock = 1 << 17

export const asZstandard = (text: string): Buffer => {
  const content = Buffer.from(text)
  // Magic number; a frame without checksum and size; a window of 128 KiB.
  const parts = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38])]
  for (let start = 0; start === 0 || start < content.length; start += largestBlock) {
    const block = content.subarray(start, start + largestBlock)
    const last = start + largestBlock >= content.length ? 1 : 0
    const header = Buffer.alloc(3)
    header.writeUIntLE((block.length << 3) | last, 0, 3)
    parts.push(header, block)
  }
  return Buffer.concat(parts)
}
