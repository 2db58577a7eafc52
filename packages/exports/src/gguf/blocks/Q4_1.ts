/** Q4_1: a scale d and a minimum m in half precision, then 32 codes q of 4 bits. w = d q + m. 5 bits a weight. */
import type { CodeType } from "./BlockType.ts"
import { readHalves, writeHalves } from "./halves.ts"
import { nibbleAt, writeNibbles } from "./nibbles.ts"
import { everyWeight, perBlock } from "./perBlock.ts"

const [weights, bytes] = [32, 20]

/** Codes of at most 4 bits as they are, in groups of a multiple of 32: d = scale, m = -scale zero, both rounded to half precision. */
export const Q4_1: CodeType = {
  name: "Q4_1",
  id: 3,
  fileType: 3,
  weights,
  bytes,
  encodeCodes: (grouped) => {
    const { codes, scale, zero } = grouped
    const scales = perBlock(grouped, weights, (group) => scale[group]!)
    const minima = perBlock(grouped, weights, (group) => -scale[group]! * zero[group]!)
    const blocks = new Uint8Array(scales.length * bytes)
    writeHalves(blocks, bytes, 0, scales)
    writeHalves(blocks, bytes, 2, minima)
    for (let block = 0; block < scales.length; block++) {
      writeNibbles(blocks, block * bytes + 4, (place) => codes[block * weights + place]!)
    }
    return blocks
  },
  decode: (blocks) => {
    const scales = readHalves(blocks, bytes, 0)
    const minima = readHalves(blocks, bytes, 2)
    return everyWeight(scales.length, weights, (block, place) => {
      const step = Math.fround(scales[block]! * nibbleAt(blocks, block * bytes + 4, place))
      return step + minima[block]!
    })
  }
}
