/** Q2_0: a scale d in half precision, then 64 codes q of 2 bits, low bits first. w = d (q - 1). 2.25 bits a weight. */
import type { CodeType } from "./BlockType.ts"
import { readHalves, writeHalves } from "./halves.ts"
import { everyWeight, perBlock } from "./perBlock.ts"

const [weights, bytes] = [64, 18]

/** Symmetric codes of 2 bits, whose zero point is 1, in groups of a multiple of 64. Exact for scales in half precision. */
export const Q2_0: CodeType = {
  name: "Q2_0",
  id: 42,
  fileType: 41,
  weights,
  bytes,
  encodeCodes: (grouped) => {
    const { codes, scale } = grouped
    const scales = perBlock(grouped, weights, (group) => scale[group]!)
    const blocks = new Uint8Array(scales.length * bytes)
    writeHalves(blocks, bytes, 0, scales)
    for (let i = 0; i < codes.length; i++) {
      const block = Math.floor(i / weights)
      const place = i % weights
      blocks[block * bytes + 2 + (place >> 2)]! |= codes[i]! << (2 * (place & 3))
    }
    return blocks
  },
  decode: (blocks) => {
    const scales = readHalves(blocks, bytes, 0)
    return everyWeight(scales.length, weights, (block, place) => {
      const code = (blocks[block * bytes + 2 + (place >> 2)]! >> (2 * (place & 3))) & 3
      return scales[block]! * (code - 1)
    })
  }
}
