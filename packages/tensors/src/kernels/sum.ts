/** y = sum of all elements of x, accumulated in double precision: [...] -> [1]. */
import type { GpujsBody } from "../backends/gpujs/GpujsBody.ts"
import { plainSumAll } from "../backends/gpujs/reductions.ts"
import { type NativeBody, reading, total } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { defineKernel } from "../core/Kernel.ts"
import { reshape } from "../core/reshape.ts"
import { sizeOf } from "../core/Shape.ts"
import { type Tensor, zeros } from "../core/Tensor.ts"
import { addBroadcast } from "./addBroadcast.ts"
import { elementwiseSamples, normals } from "./operands/samples.ts"

/** y = sum of x[i] */
const reference = ({ x }: Arrays<"x">, { y }: Arrays<"y">): void => {
  let total = 0
  for (const value of x) total += value
  y[0] = total
}

const gpujs: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => plainSumAll("y", "x", sizeOf(inputs.x))
}

const native: NativeBody<"x", "y"> = (engine, { inputs: { x }, outputs: { y } }) => {
  engine.rows({ entry: "sum", rows: sizeOf(x.shape), operands: [reading(x, 4)], partials: [total(y)] })
}

export const sumKernel = defineKernel<"x", "y", object>({
  name: "sum",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: () => ({ y: { shape: [1] } }),
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, shapes: { inputs } }) =>
      dy ? { x: reshape(addBroadcast(zeros(dy.backend, [sizeOf(inputs.x), 1]), dy), inputs.x) } : {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.x), bytes: 4 * sizeOf(inputs.x) }),
  samples: (random) => elementwiseSamples((shape) => ({ x: normals(random, shape) }), {}),
  // The sum may cancel: what is left is compared with what was added.
  tolerance: { relative: 1e-5, absolute: 1e-4 }
})

/** The sum of all elements: [...] -> [1]. */
export const sum = (x: Tensor): Tensor => apply(sumKernel, { x }, {}).y
