/** Scales of blocks: numbers in half precision, at the same place of each block. */
import { f16ToF32, f32ToF16 } from "@speedq/tensors"

/** Writes the half of each block at byte `at` of it; gives what the halves stand for. */
export const writeHalves = (blocks: Uint8Array, blockBytes: number, at: number, values: Float32Array): Float32Array => {
  const halves = f32ToF16(values)
  for (let block = 0; block < halves.length; block++) {
    const place = block * blockBytes + at
    blocks[place] = halves[block]! & 255
    blocks[place + 1] = halves[block]! >> 8
  }
  return f16ToF32(halves)
}

export const readHalves = (blocks: Uint8Array, blockBytes: number, at: number): Float32Array => {
  const halves = new Uint16Array(blocks.length / blockBytes)
  for (let block = 0; block < halves.length; block++) {
    const place = block * blockBytes + at
    halves[block] = blocks[place]! | (blocks[place + 1]! << 8)
  }
  return f16ToF32(halves)
}
