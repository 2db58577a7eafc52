/** Programs over groups of consecutive elements: what quantizers start from. */
import type { Shape } from "../../core/Shape.ts"
import type { GpujsProgram, Thread, Values } from "./GpujsBody.ts"
import { rounded, roundingHelpers } from "./numbers.ts"

function least(this: Thread, x: Values) {
  let low = x[this.thread.x * this.constants.group]
  for (let i = 0; i < this.constants.group; i++) {
    if (x[this.thread.x * this.constants.group + i] < low) {
      low = x[this.thread.x * this.constants.group + i]
    }
  }
  return low
}

function most(this: Thread, x: Values) {
  let high = x[this.thread.x * this.constants.group]
  for (let i = 0; i < this.constants.group; i++) {
    if (x[this.thread.x * this.constants.group + i] > high) {
      high = x[this.thread.x * this.constants.group + i]
    }
  }
  return high
}

/** Smallest ("low") and largest ("high") element of each of `count` groups of an operand, in its order. */
export const extremesOfGroups = (x: string, count: number, group: number): readonly GpujsProgram[] => [
  { output: "low", compute: least, reads: [x], constants: { group }, extent: [count] },
  { output: "high", compute: most, reads: [x], constants: { group }, extent: [count] }
]

/** One thread for each element of a weight [N, K] in groups of columns; parameters of groups are [N, K / g]. */
export const perWeight = (weight: Shape, group: number) => {
  const [rows, columns] = weight as readonly [number, number]
  return { constants: { columns, group, groups: columns / group }, extent: [columns, rows] }
}

/** 1 where -scale zero <= weight <= scale (most - zero), each operation rounded: where the gradient passes straight through. */
export function withinRange(weight: number, scale: number, zero: number, most: number, bf16: number): number {
  if (weight >= -rounded(scale * zero, bf16)) {
    if (weight <= rounded(scale * rounded(most - zero, bf16), bf16)) {
      return 1
    }
  }
  return 0
}

export const rangeHelpers = [...roundingHelpers, withinRange]
