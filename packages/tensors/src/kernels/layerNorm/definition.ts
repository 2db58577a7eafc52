/**
 * Layer norm over the last axis: y = weight (x - mean) / sqrt(variance + epsilon) + bias, the variance biased.
 * x [..., C], weight [C], bias [C] -> y [..., C]; mean and inverseDeviation [R] are kept for the gradient.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { asMatrix, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { normals, rowShapes } from "../operands/samples.ts"
import { expectAtLeast, expectRank, expectSame, expectShape } from "../operands/shapeRules.ts"
import type { NormAttributes } from "./geometry.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"
import { webgpu, webgpuGradient } from "./webgpu.ts"

export const layerNormKernel = defineKernel<"x" | "weight" | "bias", "y" | "mean" | "inverseDeviation", NormAttributes>(
  {
    name: "layerNorm",
    inputs: { x: { dtypes: ["f32"] }, weight: { dtypes: ["f32"] }, bias: { dtypes: ["f32"] } },
    outputs: ["y", "mean", "inverseDeviation"],
    infer: ({ x, weight, bias }, { epsilon }) => {
      expectRank("layerNorm", "x", x, 1)
      expectShape("layerNorm", "weight", weight, x.slice(-1))
      expectShape("layerNorm", "bias", bias, x.slice(-1))
      expectAtLeast("layerNorm", "epsilon", epsilon, 0)
      const statistics = { shape: [asMatrix(x).rows] }
      return { y: { shape: x }, mean: statistics, inverseDeviation: statistics }
    },
    gradient: {
      saves: { inputs: ["x", "weight"], outputs: ["mean", "inverseDeviation"] },
      auxiliary: ["mean", "inverseDeviation"],
      backward: ({ saved: { x, weight, mean, inverseDeviation }, cotangents: { y: dy } }) => {
        const { dx, dweight, dbias } = apply(layerNormGradientKernel, { x, weight, mean, inverseDeviation, dy }, {})
        return { x: dx, weight: dweight, bias: dbias }
      }
    },
    reference,
    native,
    gpujs,
    webgpu,
    cost: ({ inputs }) => ({ flops: 8 * sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
    samples: (random) =>
      rowShapes.map((shape) => ({
        name: shape.join("x"),
        inputs: {
          x: normals(random, shape),
          weight: normals(random, shape.slice(-1)),
          bias: normals(random, shape.slice(-1))
        },
        attributes: { epsilon: 1e-6 }
      }))
  }
)

export const layerNormGradientKernel = defineKernel<
  "x" | "weight" | "mean" | "inverseDeviation" | "dy",
  "dx" | "dweight" | "dbias",
  object
>({
  name: "layerNormGradient",
  inputs: {
    x: { dtypes: ["f32"] },
    weight: { dtypes: ["f32"] },
    mean: { dtypes: ["f32"] },
    inverseDeviation: { dtypes: ["f32"] },
    dy: { dtypes: ["f32"] }
  },
  outputs: ["dx", "dweight", "dbias"],
  infer: ({ x, weight, mean, inverseDeviation, dy }) => {
    expectRank("layerNormGradient", "x", x, 1)
    const { rows, columns } = asMatrix(x)
    expectShape("layerNormGradient", "weight", weight, [columns])
    expectShape("layerNormGradient", "mean", mean, [rows])
    expectShape("layerNormGradient", "inverseDeviation", inverseDeviation, [rows])
    expectSame("layerNormGradient", "dy", dy, "x", x)
    return { dx: { shape: x }, dweight: { shape: weight }, dbias: { shape: weight } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  webgpu: webgpuGradient,
  cost: ({ inputs }) => ({ flops: 14 * sizeOf(inputs.x), bytes: 12 * sizeOf(inputs.x) }),
  samples: (random) =>
    rowShapes.map((shape) => {
      const { rows, columns } = asMatrix(shape)
      const x = normals(random, shape)
      const statistics = { mean: new Float32Array(rows), inverseDeviation: new Float32Array(rows) }
      for (let row = 0; row < rows; row++) {
        const values = Array.from({ length: columns }, (_, column) => x.values[row * columns + column]!)
        const mean = values.reduce((sum, value) => sum + value, 0) / columns
        const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / columns
        statistics.mean[row] = mean
        statistics.inverseDeviation[row] = 1 / Math.sqrt(variance + 1e-2)
      }
      return {
        name: shape.join("x"),
        inputs: {
          x,
          weight: normals(random, [columns]),
          mean: { shape: [rows], values: statistics.mean },
          inverseDeviation: { shape: [rows], values: statistics.inverseDeviation },
          dy: normals(random, shape)
        },
        attributes: {}
      }
    }),
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** Layer norm over the last axis: x [..., C], weight [C], bias [C] -> [..., C]. */
export const layerNorm = (x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor =>
  apply(layerNormKernel, { x, weight, bias }, { epsilon }).y
