import type { GroupedCodes } from "./BlockType.ts"

/** A number for each block of codes, out of the group that the block is a part of. */
export const perBlock = (
  { codes, group }: GroupedCodes,
  weights: number,
  numberOf: (group: number) => number
): Float32Array =>
  Float32Array.from({ length: codes.length / weights }, (_, block) => numberOf(Math.floor((block * weights) / group)))
