/** y = sum of all elements of x, accumulated in double precision: [...] -> [1]. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { reshape } from "../../reshape.ts"
import { sizeOf } from "../../Shape.ts"
import { type Tensor, zeros } from "../../Tensor.ts"
import { addBroadcast } from "../addBroadcast/definition.ts"
import { elementwiseShapes, normals } from "../samples.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

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
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { x: normals(random, shape) },
      attributes: {}
    })),
  // The sum may cancel: what is left is compared with what was added.
  tolerance: { relative: 1e-5, absolute: 1e-4 }
})

/** The sum of all elements: [...] -> [1]. */
export const sum = (x: Tensor): Tensor => apply(sumKernel, { x }, {}).y
