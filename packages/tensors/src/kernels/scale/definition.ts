/** y = factor x. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { elementwiseShapes, normals } from "../samples.ts"
import type { ScaleAttributes } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const scaleKernel = defineKernel<"x", "y", ScaleAttributes>({
  name: "scale",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => ({ y: { shape: x } }),
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, attributes }) => (dy ? { x: scale(dy, attributes.factor) } : {})
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { x: normals(random, shape) },
      attributes: { factor: -0.375 }
    }))
})

/** factor x, elementwise. */
export const scale = (x: Tensor, factor: number): Tensor => apply(scaleKernel, { x }, { factor }).y
