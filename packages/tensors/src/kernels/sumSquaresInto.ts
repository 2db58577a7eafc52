/** total += sum of x^2, accumulated in double precision: the norm of all gradients, one tensor after the other. */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { sumAll } from "../backends/gpujs/reductions.ts"
import { type NativeBody, reading, total } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { elementwiseSamples, normals, uniforms } from "./operands/samples.ts"
import { expectShape } from "./operands/shapeRules.ts"

/** total += sum of x[i]^2 */
const reference = ({ x, total }: Arrays<"x" | "total">): void => {
  let sum = 0
  for (const value of x) sum += value * value
  total[0]! += sum
}

function sumOfSquares(this: Thread, x: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum += x[i * this.constants.parts + this.thread.x] * x[i * this.constants.parts + this.thread.x]
    }
  }
  return sum
}

function sum(this: Thread, total: Values, squares: Values) {
  return total[this.thread.x] + squares[this.thread.x]
}

const gpujs: GpujsBody<"x" | "total", never> = {
  programs: ({ inputs }) => [
    ...sumAll({ output: "squares", part: sumOfSquares, reads: ["x"] }, sizeOf(inputs.x)),
    elementwiseProgram("total", sum, ["total", "squares"], inputs.total)
  ]
}

const native: NativeBody<"x" | "total", never> = (engine, { inputs }) => {
  const { x } = inputs
  const partials = [total(inputs.total, { accumulate: true })]
  engine.rows({ entry: "sumSquares", rows: sizeOf(x.shape), operands: [reading(x, 4)], partials })
}

export const sumSquaresIntoKernel = defineKernel<"x" | "total", never, object>({
  name: "sumSquaresInto",
  inputs: { x: { dtypes: ["f32"] }, total: { dtypes: ["f32"], updated: true } },
  outputs: [],
  infer: ({ total }) => {
    expectShape("sumSquaresInto", "total", total, [1])
    return {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 2 * sizeOf(inputs.x), bytes: 4 * sizeOf(inputs.x) }),
  samples: (random) =>
    elementwiseSamples((shape) => ({ x: normals(random, shape), total: uniforms(random, [1], 0, 10) }), {})
})

/** Adds the sum of squares of `x` to `total` [1] in place. */
export const sumSquaresInto = (total: Tensor, x: Tensor): void => {
  apply(sumSquaresIntoKernel, { x, total }, {})
}
