/**
 * RMS norm over the last axis: y = weight (x / sqrt(mean(x^2) + epsilon)).
 * x [..., C], weight [C] -> y [..., C]; inverseRms [R] is kept for the gradient.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { asMatrix, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import type { NormAttributes } from "../layerNorm/geometry.ts"
import { normals, rowShapes, uniforms } from "../operands/samples.ts"
import { expectAtLeast, expectRank, expectSame, expectShape } from "../operands/shapeRules.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"
import { webgpu, webgpuGradient } from "./webgpu.ts"

export const rmsNormKernel = defineKernel<"x" | "weight", "y" | "inverseRms", NormAttributes>({
  name: "rmsNorm",
  inputs: { x: { dtypes: ["f32"] }, weight: { dtypes: ["f32"] } },
  outputs: ["y", "inverseRms"],
  infer: ({ x, weight }, { epsilon }) => {
    expectRank("rmsNorm", "x", x, 1)
    expectShape("rmsNorm", "weight", weight, x.slice(-1))
    expectAtLeast("rmsNorm", "epsilon", epsilon, 0)
    return { y: { shape: x }, inverseRms: { shape: [asMatrix(x).rows] } }
  },
  gradient: {
    saves: { inputs: ["x", "weight"], outputs: ["inverseRms"] },
    auxiliary: ["inverseRms"],
    backward: ({ saved: { x, weight, inverseRms }, cotangents: { y: dy } }) => {
      const { dx, dweight } = apply(rmsNormGradientKernel, { x, weight, inverseRms, dy }, {})
      return { x: dx, weight: dweight }
    }
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs }) => ({ flops: 4 * sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    rowShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { x: normals(random, shape), weight: normals(random, shape.slice(-1)) },
      attributes: { epsilon: 1e-6 }
    }))
})

export const rmsNormGradientKernel = defineKernel<"x" | "weight" | "inverseRms" | "dy", "dx" | "dweight", object>({
  name: "rmsNormGradient",
  inputs: {
    x: { dtypes: ["f32"] },
    weight: { dtypes: ["f32"] },
    inverseRms: { dtypes: ["f32"] },
    dy: { dtypes: ["f32"] }
  },
  outputs: ["dx", "dweight"],
  infer: ({ x, weight, inverseRms, dy }) => {
    expectRank("rmsNormGradient", "x", x, 1)
    const { rows, columns } = asMatrix(x)
    expectShape("rmsNormGradient", "weight", weight, [columns])
    expectShape("rmsNormGradient", "inverseRms", inverseRms, [rows])
    expectSame("rmsNormGradient", "dy", dy, "x", x)
    return { dx: { shape: x }, dweight: { shape: weight } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  webgpu: webgpuGradient,
  cost: ({ inputs }) => ({ flops: 9 * sizeOf(inputs.x), bytes: 12 * sizeOf(inputs.x) }),
  samples: (random) =>
    rowShapes.map((shape) => {
      const { rows, columns } = asMatrix(shape)
      return {
        name: shape.join("x"),
        inputs: {
          x: normals(random, shape),
          weight: normals(random, [columns]),
          inverseRms: uniforms(random, [rows], 0.5, 2),
          dy: normals(random, shape)
        },
        attributes: {}
      }
    }),
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** RMS norm over the last axis: x [..., C], weight [C] -> [..., C]. */
export const rmsNorm = (x: Tensor, weight: Tensor, epsilon: number): Tensor =>
  apply(rmsNormKernel, { x, weight }, { epsilon }).y
