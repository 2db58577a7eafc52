/**
 * Numbers in 8 bits by blocks: a block of 256 in a row shares the largest magnitude of its members, s, and each is a code of a level in
 * [-1, 1] (or [0, 1] where none is negative), so that x = s level. Levels lie on a dynamic tree (Dettmers et al. 2022, arXiv:2110.02861
 * §1.3, 2.2): in each of seven decades below 1 twice as many, evenly, as in the one below.
 */

import { type Shape, sizeOf } from "../../core/Shape.ts"
import { expectShape } from "../operands/shapeRules.ts"

export interface DynamicCodesAttributes {
  /** Whether numbers have both signs. Without it they are at least 0, and one that is not 0 gets no code of 0. */
  readonly signed: boolean
}

/** Numbers that share a scale. */
export const dynamicBlock = 256

/** Blocks of so many numbers. */
export const blocksOf = (shape: Shape): number => Math.ceil(sizeOf(shape) / dynamicBlock)

interface DynamicBook {
  /** Ascending, 256 of them, as f32. */
  readonly levels: Float32Array
  /** Midpoints between neighbours, 255 of them; a quotient at one takes the upper level. */
  readonly thresholds: Float32Array
}

const makeBook = (signed: boolean): DynamicBook => {
  const positive = Array.from({ length: 7 }, (_, decade) => {
    const count = 2 ** (decade + (signed ? 0 : 1))
    const width = 0.9 / count
    return Array.from({ length: count }, (_, i) => 10 ** (decade - 6) * (0.1 + (i + 0.5) * width))
  }).flat()
  const all = [...positive, ...(signed ? positive.map((level) => -level) : []), 0, 1]
  const levels = Float32Array.from(all).sort()
  const thresholds = Float32Array.from(levels.subarray(1), (level, i) => Math.fround((level + levels[i]!) / 2))
  return { levels, thresholds }
}

const books = { signed: makeBook(true), unsigned: makeBook(false) }

/** The levels of codes, and what decides between them. */
export const dynamicBook = ({ signed }: DynamicCodesAttributes): DynamicBook => (signed ? books.signed : books.unsigned)

/** Scales must be one a block. Raises ShapeMismatch. */
export const expectBlocks = (kernel: string, scales: Shape, codes: Shape): void =>
  expectShape(kernel, "scales", scales, [blocksOf(codes)])
