/** total += sum of x^2, accumulated in double precision: the norm of all gradients, one tensor after the other. */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { sumAll } from "../backends/gpujs/reductions.ts"
import type { WebgpuBody, WgslProgram } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import { across, main, threads } from "../backends/gpujs/webgpu/wgslText.ts"
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

/** Each thread adds up every so many elements, each workgroup its threads. */
const sumInWgsl = (target: string, term: string, result: string): WgslProgram => ({
  reads: ["x"],
  writes: [target],
  whole: ["size"],
  text: `${across}${main(`
  var sum = 0.0;
  for (var i = group.x * ${threads}u + lane; i < p.size; i += groups.x * ${threads}u) { sum += ${term}; }
  let all = sumAcross(sum, lane);
  if (lane == 0u) { ${result}; }`)}`
})

const squaresOfPart = sumInWgsl("parts", "x[i] * x[i]", "parts[group.x] = all")
const addParts = sumInWgsl("total", "x[i]", "total[0] += all")
const addSquares = sumInWgsl("total", "x[i] * x[i]", "total[0] += all")

/** Elements that one workgroup adds up about as fast as a second launch would begin. */
const mostOfOneLaunch = 2 ** 17
const mostParts = 1024
/** Elements of a part, at least. */
const leastOfPart = 2 ** 13

const webgpu: WebgpuBody<"x" | "total", never> = {
  launches: ({ inputs }) => {
    const size = sizeOf(inputs.x)
    const total = { reads: ["x"], writes: [{ name: "total" }], whole: [size], workgroups: [1, 1, 1] } as const
    if (size <= mostOfOneLaunch) return [{ ...total, program: addSquares }]
    const count = Math.min(mostParts, Math.ceil(size / leastOfPart))
    const parts = { name: "parts", size: count }
    return [
      { program: squaresOfPart, reads: ["x"], writes: [parts], whole: [size], workgroups: [count, 1, 1] },
      { ...total, program: addParts, reads: ["parts"], whole: [count] }
    ]
  }
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
  webgpu,
  cost: ({ inputs }) => ({ flops: 2 * sizeOf(inputs.x), bytes: 4 * sizeOf(inputs.x) }),
  samples: (random) => [
    ...elementwiseSamples((shape) => ({ x: normals(random, shape), total: uniforms(random, [1], 0, 10) }), {}),
    {
      name: "many",
      inputs: { x: normals(random, [2 ** 17 + 3]), total: uniforms(random, [1], 0, 10) },
      attributes: {}
    }
  ]
})

/** Adds the sum of squares of `x` to `total` [1] in place. */
export const sumSquaresInto = (total: Tensor, x: Tensor): void => {
  apply(sumSquaresIntoKernel, { x, total }, {})
}
