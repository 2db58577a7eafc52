/**
 * Q3_K: 256 weights with a scale d in half precision, 16 scales s of 6 bits and codes q of 3 bits. w = d (s - 32) (q - 4), each
 * operation in f32; s is one for 16 weights. 3.4375 bits a weight. In bytes:
 *
 *   0-31    the high bits of q: weight 32 j + i has bit j of byte i
 *   32-95   the low bits: weight 128 h + 32 j + i has bits 2 j and 2 j + 1 of byte 32 h + i
 *   96-107  the scales: s[k] has its low 4 bits in the low (k < 8) or high half of byte k mod 8, its high 2 bits in bits
 *           2 floor(k / 4) of byte 8 + k mod 4
 *   108-109 d
 */
import type { CodeType, GroupedCodes } from "./BlockType.ts"
import { readHalves, writeHalves } from "./halves.ts"
import { everyWeight } from "./perBlock.ts"

const [weights, bytes, runs, run] = [256, 110, 16, 16]
const [lowBits, scaleBits, scaleAt] = [32, 96, 108]
const largestScale = 31

interface Scales {
  /** Of each block, before it is rounded to half precision. */
  readonly d: Float32Array
  /** Of each run of 16 weights: s - 32, from 0 to 31. */
  readonly steps: Uint8Array
}

/** What d = `largest` / f gives for each run, and how far that is from `scale`, weighted by the steps that it multiplies. */
const tried = (scale: Float32Array, energy: Float32Array, d: number, steps: Uint8Array): number => {
  let error = 0
  for (let i = 0; i < runs; i++) {
    steps[i] = d === 0 ? 0 : Math.min(largestScale, Math.round(scale[i]! / d))
    error += energy[i]! * (d * steps[i]! - scale[i]!) ** 2
  }
  return error
}

/** Scales of runs as multiples of one d: the largest scale becomes 31 or less, whatever leaves the smallest square error. */
const fitScales = (scale: Float32Array, energy: Float32Array): Scales => {
  const count = scale.length / runs
  const d = new Float32Array(count)
  const steps = new Uint8Array(scale.length)
  const candidate = new Uint8Array(runs)
  for (let block = 0; block < count; block++) {
    const own = [scale, energy].map((values) => values.subarray(block * runs, (block + 1) * runs))
    const largest = own[0]!.reduce((most, each) => Math.max(most, each))
    let least = Number.POSITIVE_INFINITY
    for (let parts = largestScale; parts > 20; parts -= 0.5) {
      const error = tried(own[0]!, own[1]!, largest / parts, candidate)
      if (error >= least) continue
      least = error
      d[block] = largest / parts
      steps.set(candidate, block * runs)
    }
  }
  return { d, steps }
}

/** Scale of each run of 16 codes, and the sum of squares of its steps c - zero. */
const runsOf = ({ codes, group, scale, zero }: GroupedCodes) => {
  const count = codes.length / run
  const scales = new Float32Array(count)
  const energy = new Float32Array(count)
  for (let at = 0; at < count; at++) {
    const own = Math.floor((at * run) / group)
    scales[at] = scale[own]!
    for (let i = at * run; i < (at + 1) * run; i++) energy[at]! += (codes[i]! - zero[own]!) ** 2
  }
  return { scales, energy }
}

const writeScale = (blocks: Uint8Array, start: number, index: number, value: number): void => {
  blocks[start + (index % 8)]! |= (value & 15) << (index < 8 ? 0 : 4)
  blocks[start + 8 + (index % 4)]! |= (value >> 4) << (2 * Math.floor(index / 4))
}

const readScale = (blocks: Uint8Array, start: number, index: number): number => {
  const low = (blocks[start + (index % 8)]! >> (index < 8 ? 0 : 4)) & 15
  return low | (((blocks[start + 8 + (index % 4)]! >> (2 * Math.floor(index / 4))) & 3) << 4)
}

/** Where the low bits of a weight are: the byte in the block, and the first bit. */
const lowPlace = (place: number): readonly [byte: number, bit: number] => [
  lowBits + 32 * Math.floor(place / 128) + (place % 32),
  2 * (Math.floor(place / 32) % 4)
]

/** Codes of 2 bits as they are, q = 4 + c - zero, in groups of a multiple of 16; of their scales the nearest that the type has. */
export const Q3_K: CodeType = {
  name: "Q3_K",
  id: 11,
  fileType: 12,
  weights,
  bytes,
  encodeCodes: (grouped) => {
    const { codes, group, zero } = grouped
    const { scales, energy } = runsOf(grouped)
    const { d, steps } = fitScales(scales, energy)
    const blocks = new Uint8Array(d.length * bytes)
    writeHalves(blocks, bytes, scaleAt, d)
    for (const [index, step] of steps.entries()) {
      writeScale(blocks, Math.floor(index / runs) * bytes + scaleBits, index % runs, 32 + step)
    }
    for (let i = 0; i < codes.length; i++) {
      const start = Math.floor(i / weights) * bytes
      const place = i % weights
      const code = 4 + codes[i]! - zero[Math.floor(i / group)]!
      const [byte, bit] = lowPlace(place)
      blocks[start + byte]! |= (code & 3) << bit
      blocks[start + (place % 32)]! |= (code >> 2) << Math.floor(place / 32)
    }
    return blocks
  },
  decode: (blocks) => {
    const d = readHalves(blocks, bytes, scaleAt)
    return everyWeight(d.length, weights, (block, place) => {
      const start = block * bytes
      const step = readScale(blocks, start + scaleBits, Math.floor(place / run)) - 32
      const [byte, bit] = lowPlace(place)
      const high = (blocks[start + (place % 32)]! >> Math.floor(place / 32)) & 1
      const code = ((blocks[start + byte]! >> bit) & 3) | (high << 2)
      return Math.fround(d[block]! * step) * (code - 4)
    })
  }
}
