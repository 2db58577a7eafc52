/** Q4_1: a scale d and a minimum m in half precision, then 32 codes q of 4 bits. w = d q + m. 5 bits a weight. */
import type { CodeType } from "./BlockType.ts"
import { readHalves, writeHalves } from "./halves.ts"
import { nibbleAt, writeNibbles } from "./nibbles.ts"

const [weights, bytes] = [32, 20]

/** Codes of at most 4 bits as they are, in groups of a multiple of 32: d = scale, m = -scale zero, both rounded to half precision. */
export const Q4_1: CodeType = {
  name: "Q4_1",
  id: 3,
  fileType: 3,
  weights,
  bytes,
  encodeCodes: ({ codes, group, scale, zero }) => {
    const count = codes.length / weights
    const blocks = new Uint8Array(count * bytes)
    const own = Array.from({ length: count }, (_, block) => Math.floor((block * weights) / group))
    writeHalves(
      blocks,
      bytes,
      0,
      Float32Array.from(own, (at) => scale[at]!)
    )
    writeHalves(
      blocks,
      bytes,
      2,
      Float32Array.from(own, (at) => -scale[at]! * zero[at]!)
    )
    for (let block = 0; block < count; block++) {
      writeNibbles(blocks, block * bytes + 4, (place) => codes[block * weights + place]!)
    }
    return blocks
  },
  decode: (blocks) => {
    const scales = readHalves(blocks, bytes, 0)
    const minima = readHalves(blocks, bytes, 2)
    const numbers = new Float32Array(scales.length * weights)
    for (let i = 0; i < numbers.length; i++) {
      const block = Math.floor(i / weights)
      const step = Math.fround(scales[block]! * nibbleAt(blocks, block * bytes + 4, i % weights))
      numbers[i] = step + minima[block]!
    }
    return numbers
  }
}
