/** GELU with the exact error function: y = x Phi(x) = x (1 + erf(x / sqrt 2)) / 2. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { elementwiseShapes, normals } from "../samples.ts"
import { expectSame } from "../shapeRules.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"

export const geluKernel = defineKernel<"x", "y", object>({
  name: "gelu",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => ({ y: { shape: x } }),
  gradient: {
    saves: { inputs: ["x"] },
    backward: ({ saved: { x }, cotangents: { y: dy } }) =>
      x && dy ? { x: apply(geluGradientKernel, { x, dy }, {}).dx } : {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 20 * sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { x: normals(random, shape, 3) },
      attributes: {}
    }))
})

export const geluGradientKernel = defineKernel<"x" | "dy", "dx", object>({
  name: "geluGradient",
  inputs: { x: { dtypes: ["f32"] }, dy: { dtypes: ["f32"] } },
  outputs: ["dx"],
  infer: ({ x, dy }) => {
    expectSame("geluGradient", "dy", dy, "x", x)
    return { dx: { shape: x } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  cost: ({ inputs }) => ({ flops: 30 * sizeOf(inputs.x), bytes: 12 * sizeOf(inputs.x) }),
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { x: normals(random, shape, 3), dy: normals(random, shape) },
      attributes: {}
    }))
})

/** GELU (erf), elementwise. */
export const gelu = (x: Tensor): Tensor => apply(geluKernel, { x }, {}).y
