/** Programs over groups of consecutive elements: what quantizers start from. */
import type { GpujsProgram, Thread, Values } from "./GpujsBody.ts"

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
