/** Q4_0: a scale d in half precision, then 32 codes q of 4 bits. w = d (q - 8). 4.5 bits a weight. */
import type { CodeType } from "./BlockType.ts"
import { readHalves, writeHalves } from "./halves.ts"
import { nibbleAt, writeNibbles } from "./nibbles.ts"
import { everyWeight, perBlock } from "./perBlock.ts"

const [weights, bytes] = [32, 18]

/**
 * Symmetric codes c around zero, of at most 4 bits, in groups of a multiple of 32. Their steps c - zero are from -7 to 8, those of the
 * type from -8 to 7: so d = -scale and q = 8 - (c - zero). Exact for scales in half precision.
 */
export const Q4_0: CodeType = {
  name: "Q4_0",
  id: 2,
  fileType: 2,
  weights,
  bytes,
  encodeCodes: (grouped) => {
    const { codes, scale, zero } = grouped
    const scales = perBlock(grouped, weights, (group) => -scale[group]!)
    const middles = perBlock(grouped, weights, (group) => 8 + zero[group]!)
    const blocks = new Uint8Array(scales.length * bytes)
    writeHalves(blocks, bytes, 0, scales)
    for (let block = 0; block < scales.length; block++) {
      const middle = middles[block]!
      writeNibbles(blocks, block * bytes + 2, (place) => middle - codes[block * weights + place]!)
    }
    return blocks
  },
  decode: (blocks) => {
    const scales = readHalves(blocks, bytes, 0)
    return everyWeight(
      scales.length,
      weights,
      (block, place) => scales[block]! * (nibbleAt(blocks, block * bytes + 2, place) - 8)
    )
  }
}
