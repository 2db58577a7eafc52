/**
 * Fake quantization with one scale and zero point a group (internvl3.md 6.1, 6.4, 6.7, 6.8):
 * scale = range / (2^b - 1), y = scale (clamp(code(w), 0, 2^b - 1) - zero). weight [N, K] -> y [N, K], scale and zero [N, K / g].
 * Every operation is rounded to f32, so that all backends give the same bits. The gradient is straight-through.
 */
import { apply } from "../../apply.ts"
import { defineKernel, type Sample } from "../../Kernel.ts"
import { type Shape, sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { groupedWeights, normals } from "../samples.ts"
import { expectSame, expectShape } from "../shapeRules.ts"
import { type UniformAttributes, uniformExtents } from "./geometry.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"

export type { UniformAttributes } from "./geometry.ts"

const cases: readonly (readonly [Shape, UniformAttributes])[] = [
  [[1, 3], { bits: 2, group: 3, symmetric: false, rounding: "sum", roundZero: true, rangeGradient: false }],
  [
    [3, 32],
    { bits: 2, group: 16, symmetric: false, rounding: "halfAwayThenZero", roundZero: true, rangeGradient: true }
  ],
  [
    [5, 21],
    { bits: 3, group: 7, symmetric: false, rounding: "nearestThenZero", roundZero: true, rangeGradient: false }
  ],
  [[4, 64], { bits: 4, group: 32, symmetric: true, rounding: "sum", roundZero: true, rangeGradient: false }],
  [[2, 34], { bits: 8, group: 17, symmetric: false, rounding: "sum", roundZero: false, rangeGradient: false }],
  [[3, 20], { bits: 3, group: 5, symmetric: true, rounding: "nearestThenZero", roundZero: true, rangeGradient: true }],
  [[0, 8], { bits: 2, group: 4, symmetric: false, rounding: "sum", roundZero: true, rangeGradient: false }],
  [
    [67, 192],
    { bits: 4, group: 64, symmetric: false, rounding: "nearestThenZero", roundZero: true, rangeGradient: true }
  ],
  [[17, 3], { bits: 2, group: 3, symmetric: false, rounding: "sum", roundZero: true, rangeGradient: false }]
]

const nameOf = (shape: Shape, { bits, group, symmetric, rounding, rangeGradient }: UniformAttributes): string =>
  `${shape.join("x")} b${bits} g${group} ${symmetric ? "symmetric " : ""}${rounding}${rangeGradient ? " range" : ""}`

export const fakeQuantUniformKernel = defineKernel<"weight", "y" | "scale" | "zero", UniformAttributes>({
  name: "fakeQuantUniform",
  inputs: { weight: { dtypes: ["f32"] } },
  outputs: ["y", "scale", "zero"],
  infer: ({ weight }, attributes) => {
    const { rows, groups } = uniformExtents("fakeQuantUniform", weight, attributes)
    const parameters = { shape: [rows, groups] }
    return { y: { shape: weight }, scale: parameters, zero: parameters }
  },
  gradient: {
    saves: { inputs: ["weight"], outputs: ["scale", "zero"] },
    auxiliary: ["scale", "zero"],
    backward: ({ saved: { weight, scale, zero }, cotangents: { y: dy }, attributes }) => ({
      weight: apply(fakeQuantUniformGradientKernel, { dy, weight, scale, zero }, attributes).dweight
    })
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 8 * sizeOf(inputs.weight), bytes: 8 * sizeOf(inputs.weight) }),
  samples: (random): readonly Sample<UniformAttributes>[] =>
    cases.map(([shape, attributes]) => ({
      name: nameOf(shape, attributes),
      inputs: { weight: groupedWeights(random, shape, attributes.group) },
      attributes,
      differentiable: false
    })),
  tolerance: { relative: 0, absolute: 0 }
})

export const fakeQuantUniformGradientKernel = defineKernel<
  "dy" | "weight" | "scale" | "zero",
  "dweight",
  UniformAttributes
>({
  name: "fakeQuantUniformGradient",
  inputs: {
    dy: { dtypes: ["f32"] },
    weight: { dtypes: ["f32"] },
    scale: { dtypes: ["f32"] },
    zero: { dtypes: ["f32"] }
  },
  outputs: ["dweight"],
  infer: ({ dy, weight, scale, zero }, attributes) => {
    const { rows, groups } = uniformExtents("fakeQuantUniformGradient", weight, attributes)
    expectSame("fakeQuantUniformGradient", "dy", dy, "weight", weight)
    expectShape("fakeQuantUniformGradient", "scale", scale, [rows, groups])
    expectShape("fakeQuantUniformGradient", "zero", zero, [rows, groups])
    return { dweight: { shape: weight } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  cost: ({ inputs }) => ({ flops: 8 * sizeOf(inputs.weight), bytes: 12 * sizeOf(inputs.weight) }),
  samples: (random) =>
    cases.map(([shape, attributes]) => {
      const { group } = attributes
      const weight = groupedWeights(random, shape, group)
      const outputs = {
        y: new Float64Array(sizeOf(shape)),
        scale: new Float64Array(sizeOf(shape) / group),
        zero: new Float64Array(sizeOf(shape) / group)
      }
      const parameters = [shape[0]!, shape[1]! / group]
      const geometry = { inputs: { weight: shape }, outputs: { y: shape, scale: parameters, zero: parameters } }
      reference({ weight: Float64Array.from(weight.values) }, outputs, geometry, attributes)
      return {
        name: nameOf(shape, attributes),
        inputs: {
          dy: normals(random, shape),
          weight,
          scale: { shape: parameters, values: outputs.scale },
          zero: { shape: parameters, values: outputs.zero }
        },
        attributes
      }
    }),
  tolerance: { relative: 1e-4, absolute: 1e-5 }
})

/** Weight [N, K] after quantization in groups of columns and back; differentiable straight-through. */
export const fakeQuantUniform = (weight: Tensor, attributes: UniformAttributes): Tensor =>
  apply(fakeQuantUniformKernel, { weight }, attributes).y

/** The same with the scales and zero points [N, K / g]. */
export const uniformParameters = (
  weight: Tensor,
  attributes: UniformAttributes
): { readonly y: Tensor; readonly scale: Tensor; readonly zero: Tensor } =>
  apply(fakeQuantUniformKernel, { weight }, attributes)

/** Straight-through gradient of a weight [N, K] on a grid [N, K / g] that was found by other means. */
export const uniformStraightThrough = (
  operands: { readonly dy: Tensor; readonly weight: Tensor; readonly scale: Tensor; readonly zero: Tensor },
  attributes: UniformAttributes
): Tensor => apply(fakeQuantUniformGradientKernel, operands, attributes).dweight
