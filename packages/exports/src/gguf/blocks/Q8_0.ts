/** Q8_0: a scale d in half precision, then 32 signed bytes q. w = d q. 8.5 bits a weight. */
import type { RoundingType } from "./BlockType.ts"
import { readHalves, writeHalves } from "./halves.ts"
import { everyWeight } from "./perBlock.ts"

const [weights, bytes] = [32, 34]

/** Halves are rounded away from zero. */
const roundAway = (value: number): number => Math.sign(value) * Math.floor(Math.fround(Math.abs(value) + 0.5))

export const Q8_0: RoundingType = {
  name: "Q8_0",
  id: 8,
  fileType: 7,
  weights,
  bytes,
  /** d = max |w| / 127, q = round(w / d) with d before it is rounded to half precision, as ggml does it. */
  encode: (numbers) => {
    const count = numbers.length / weights
    const scales = new Float32Array(count)
    const blocks = new Uint8Array(count * bytes)
    for (let block = 0; block < count; block++) {
      let largest = 0
      for (let i = block * weights; i < (block + 1) * weights; i++) largest = Math.max(largest, Math.abs(numbers[i]!))
      const scale = Math.fround(largest / 127)
      const inverse = scale === 0 ? 0 : Math.fround(1 / scale)
      scales[block] = scale
      for (let i = 0; i < weights; i++) {
        blocks[block * bytes + 2 + i] = roundAway(Math.fround(numbers[block * weights + i]! * inverse))
      }
    }
    writeHalves(blocks, bytes, 0, scales)
    return blocks
  },
  decode: (blocks) => {
    const scales = readHalves(blocks, bytes, 0)
    const signed = new Int8Array(blocks.buffer, blocks.byteOffset, blocks.length)
    return everyWeight(scales.length, weights, (block, place) => scales[block]! * signed[block * bytes + 2 + place]!)
  }
}
