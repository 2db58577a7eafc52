/** Softmax over the last axis: y = exp(x - max) / sum of exp(x - max). */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { normals, rowShapes, uniforms } from "../samples.ts"
import { expectRank, expectSame } from "../shapeRules.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"

export const softmaxKernel = defineKernel<"x", "y", object>({
  name: "softmax",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => {
    expectRank("softmax", "x", x, 1)
    return { y: { shape: x } }
  },
  gradient: {
    saves: { outputs: ["y"] },
    backward: ({ saved: { y }, cotangents: { y: dy } }) => ({ x: apply(softmaxGradientKernel, { y, dy }, {}).dx })
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 12 * sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) => [
    ...rowShapes.map((shape) => ({ name: shape.join("x"), inputs: { x: normals(random, shape, 3) }, attributes: {} })),
    { name: "far apart", inputs: { x: normals(random, [3, 17], 200) }, attributes: {} }
  ]
})

export const softmaxGradientKernel = defineKernel<"y" | "dy", "dx", object>({
  name: "softmaxGradient",
  inputs: { y: { dtypes: ["f32"] }, dy: { dtypes: ["f32"] } },
  outputs: ["dx"],
  infer: ({ y, dy }) => {
    expectRank("softmaxGradient", "y", y, 1)
    expectSame("softmaxGradient", "dy", dy, "y", y)
    return { dx: { shape: y } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  cost: ({ inputs }) => ({ flops: 4 * sizeOf(inputs.y), bytes: 12 * sizeOf(inputs.y) }),
  samples: (random) =>
    rowShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { y: uniforms(random, shape, 0, 2 / Math.max(1, shape.at(-1)!)), dy: normals(random, shape) },
      attributes: {}
    }))
})

/** Softmax over the last axis. */
export const softmax = (x: Tensor): Tensor => apply(softmaxKernel, { x }, {}).y
