import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { extremesOfGroups } from "../../backends/gpujs/groups.ts"
import { divided, halfEven, limited } from "../../backends/gpujs/numbers.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { AdaroundScalesAttributes } from "./geometry.ts"

/** Ranges tried: the plain one times 1, 0.99, ... 0.21. */
const shrinks = 80

function scaleOfRange(this: Thread, bottom: Values, top: Values) {
  const range = top[this.thread.x] - bottom[this.thread.x]
  return Math.max(divided(Math.fround(range), this.constants.most), Math.fround(1e-8))
}

function zeroOfRange(this: Thread, bottom: Values, scale: Values) {
  return halfEven(divided(-bottom[this.thread.x], scale[this.thread.x]))
}

/** The ends of a range with 0 inside it: zero points are then codes. */
function lowEnd(this: Thread, low: Values) {
  return Math.min(low[this.thread.x], 0)
}

function highEnd(this: Thread, high: Values) {
  return Math.max(high[this.thread.x], 0)
}

/** Step of a range shrunk `k` times. */
function shrunkStep(low: number, high: number, k: number, most: number): number {
  const factor = Math.fround(1 - 0.01 * k)
  const range = Math.fround(Math.fround(high * factor) - Math.fround(low * factor))
  return Math.max(divided(range, most), Math.fround(1e-8))
}

function shrunkZero(low: number, step: number, k: number): number {
  return halfEven(divided(-Math.fround(low * Math.fround(1 - 0.01 * k)), step))
}

/** mean |w - q|^2.4 of group y quantized with range x. */
function scoreOfShrink(this: Thread, weight: Values, low: Values, high: Values) {
  const step = shrunkStep(low[this.thread.y], high[this.thread.y], this.thread.x, this.constants.most)
  const zero = shrunkZero(low[this.thread.y], step, this.thread.x)
  let sum = 0
  for (let i = 0; i < this.constants.group; i++) {
    const w = weight[this.thread.y * this.constants.group + i]
    const code = limited(halfEven(divided(w, step)) + zero, 0, this.constants.most)
    sum += Math.abs(Math.fround(w - Math.fround((code - zero) * step))) ** 2.4
  }
  return sum / this.constants.group
}

/** The first range of least score; 0 where all are NaN. */
function bestShrink(this: Thread, score: Values) {
  let best = 0
  let lowest = score[this.thread.x * 80]
  for (let k = 0; k < 80; k++) {
    if (score[this.thread.x * 80 + k] < lowest) {
      lowest = score[this.thread.x * 80 + k]
      best = k
    }
  }
  return best
}

function scaleOfShrink(this: Thread, low: Values, high: Values, best: Values) {
  return shrunkStep(low[this.thread.x], high[this.thread.x], best[this.thread.x], this.constants.most)
}

function zeroOfShrink(this: Thread, low: Values, scale: Values, best: Values) {
  return shrunkZero(low[this.thread.x], scale[this.thread.x], best[this.thread.x])
}

const helpers = [divided, halfEven, limited, shrunkStep, shrunkZero]

export const gpujs: GpujsBody<"weight", "scale" | "zero", AdaroundScalesAttributes> = {
  programs: ({ inputs, outputs }, { bits, group, method }) => {
    const count = sizeOf(inputs.weight) / group
    const more = { constants: { group, most: 2 ** bits - 1 }, helpers }
    const range = [
      ...extremesOfGroups("weight", count, group),
      elementwiseProgram("bottom", lowEnd, ["low"], outputs.scale),
      elementwiseProgram("top", highEnd, ["high"], outputs.scale)
    ]
    if (method === "max") {
      return [
        ...range,
        elementwiseProgram("scale", scaleOfRange, ["bottom", "top"], outputs.scale, more),
        elementwiseProgram("zero", zeroOfRange, ["bottom", "scale"], outputs.zero, more)
      ]
    }
    return [
      ...range,
      {
        output: "score",
        compute: scoreOfShrink,
        reads: ["weight", "bottom", "top"],
        extent: [shrinks, count],
        ...more
      },
      { output: "best", compute: bestShrink, reads: ["score"], extent: [count] },
      elementwiseProgram("scale", scaleOfShrink, ["bottom", "top", "best"], outputs.scale, more),
      elementwiseProgram("zero", zeroOfShrink, ["bottom", "scale", "best"], outputs.zero, more)
    ]
  }
}
