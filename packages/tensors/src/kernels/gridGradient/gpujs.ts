import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { perWeight } from "../../backends/gpujs/groups.ts"
import { divided, halfEven, limited, quotient } from "../../backends/gpujs/numbers.ts"
import { sizeOf } from "../../core/Shape.ts"
import { type GridAttributes, gridGroup } from "../gridCodes/geometry.ts"

/** 1 where an open code is a code. */
function isCode(open: number, most: number): number {
  if (open >= 0) {
    if (open <= most) {
      return 1
    }
  }
  return 0
}

function byWeight(this: Thread, dy: Values, weight: Values, scale: Values, zero: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const steps = divided(
    weight[this.thread.y * this.constants.columns + this.thread.x],
    scale[this.thread.y * this.constants.groups + (group | 0)]
  )
  const open = halfEven(Math.fround(steps + zero[this.thread.y * this.constants.groups + (group | 0)]))
  if (isCode(open, this.constants.most) > 0.5) {
    return dy[this.thread.y * this.constants.columns + this.thread.x]
  }
  return 0
}

function byScale(this: Thread, dy: Values, weight: Values, scale: Values, zero: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.group; i++) {
    const steps = divided(weight[this.thread.x * this.constants.group + i], scale[this.thread.x])
    const open = halfEven(Math.fround(steps + zero[this.thread.x]))
    let distance = limited(open, 0, this.constants.most) - zero[this.thread.x]
    if (isCode(open, this.constants.most) > 0.5) {
      distance -= steps
    }
    sum += dy[this.thread.x * this.constants.group + i] * distance
  }
  return sum
}

function byZero(this: Thread, dy: Values, weight: Values, scale: Values, zero: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.group; i++) {
    const steps = divided(weight[this.thread.x * this.constants.group + i], scale[this.thread.x])
    const open = halfEven(Math.fround(steps + zero[this.thread.x]))
    if (isCode(open, this.constants.most) < 0.5) {
      sum += dy[this.thread.x * this.constants.group + i]
    }
  }
  return -scale[this.thread.x] * sum
}

const helpers = [divided, halfEven, limited, quotient, isCode]
const reads = ["dy", "weight", "scale", "zero"]

export const gpujs: GpujsBody<"dy" | "weight" | "scale" | "zero", "dweight" | "dscale" | "dzero", GridAttributes> = {
  programs: ({ inputs: { weight, scale, zero } }, attributes) => {
    const { constants, extent } = perWeight(weight, gridGroup("gridGradient", weight, scale, zero, attributes))
    const more = { reads, constants: { ...constants, most: 2 ** attributes.bits - 1 }, helpers }
    const groups = [sizeOf(scale)]
    return [
      { output: "dweight", compute: byWeight, extent, ...more },
      { output: "dscale", compute: byScale, extent: groups, ...more },
      { output: "dzero", compute: byZero, extent: groups, ...more }
    ]
  }
}
