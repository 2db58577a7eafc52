/**
 * Fake quantization with one scale and zero point a group (docs/method.md, "Flat quantizers", "Embedding and head" and
 * "Clipping search"):
 * scale = range / (2^b - 1), y = scale (clamp(code(w), 0, 2^b - 1) - zero). weight [N, K] -> y [N, K], scale and zero [N, K / g].
 * Every operation is rounded to f32, so that all backends give the same bits. The gradient is straight-through.
 */
import { apply } from "../../core/apply.ts"
import type { Shape } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { defineFakeQuant } from "../groups/defineFakeQuant.ts"
import { groupedWeights } from "../operands/samples.ts"
import { type UniformAttributes, uniformParameterShape } from "./geometry.ts"
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

const caseName = (shape: Shape, { bits, group, symmetric, rounding, rangeGradient }: UniformAttributes): string =>
  `${shape.join("x")} b${bits} g${group} ${symmetric ? "symmetric " : ""}${rounding}${rangeGradient ? " range" : ""}`

export const { kernel: fakeQuantUniformKernel, gradientKernel: fakeQuantUniformGradientKernel } = defineFakeQuant<
  "scale" | "zero",
  UniformAttributes
>({
  name: "fakeQuantUniform",
  parameters: ["scale", "zero"],
  parameterShape: uniformParameterShape,
  cases,
  caseName,
  weight: (random, shape, { group }) => groupedWeights(random, shape, group),
  forward: { reference, native, gpujs, flops: 8 },
  backward: {
    reference: referenceGradient,
    native: nativeGradient,
    gpujs: gpujsGradient,
    flops: 8,
    tolerance: { relative: 1e-4, absolute: 1e-5 }
  }
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
