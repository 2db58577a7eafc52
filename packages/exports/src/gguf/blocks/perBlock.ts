import type { GroupedCodes } from "./BlockType.ts"

/** The weights of so many blocks of `weights` each, by the block and the place in it. */
export const everyWeight = (
  blocks: number,
  weights: number,
  numberOf: (block: number, place: number) => number
): Float32Array => {
  const numbers = new Float32Array(blocks * weights)
  for (let i = 0; i < numbers.length; i++) numbers[i] = numberOf(Math.floor(i / weights), i % weights)
  return numbers
}

/** A number for each block of codes, out of the group that the block is a part of. */
export const perBlock = (
  { codes, group }: GroupedCodes,
  weights: number,
  numberOf: (group: number) => number
): Float32Array =>
  Float32Array.from({ length: codes.length / weights }, (_, block) => numberOf(Math.floor((block * weights) / group)))
