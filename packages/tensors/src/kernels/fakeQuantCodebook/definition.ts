/**
 * Fake quantization to a fixed codebook, positive and negative weights of a group scaled apart (docs/method.md,
 * "N2F3"):
 * positive = max(max w, 0), negative = max(-min w, 0), y = level(w / s) s with s the scale of w's side.
 * weight [N, K] -> y [N, K], negative and positive [N, K / g]. Every operation is rounded to f32; straight-through gradient,
 * with the scales' share at the extremes.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { defineFakeQuant } from "../groups/defineFakeQuant.ts"
import { groupExtents } from "../groups/extents.ts"
import { groupedWeights, type SampleRandom } from "../operands/samples.ts"
import { expectShape } from "../operands/shapeRules.ts"
import { type CodebookAttributes, codebook } from "./geometry.ts"
import { gpujs, gpujsCodes, gpujsDecode, gpujsGradient } from "./gpujs.ts"
import { native, nativeCodes, nativeDecode, nativeGradient } from "./native.ts"
import { reference, referenceCodes, referenceDecode, referenceGradient } from "./reference.ts"

export type { CodebookAttributes } from "./geometry.ts"

const eight = [-1, -0.5, -0.25, 0, 0.2, 0.4, 0.6, 1]

const cases: readonly (readonly [Shape, CodebookAttributes])[] = [
  [[1, 1], { group: 1, levels: [-1, 0, 1] }],
  [[3, 21], { group: 7, levels: eight }],
  [[5, 32], { group: 16, levels: [-0.75, 0.75] }],
  [[0, 4], { group: 2, levels: eight }],
  [[67, 96], { group: 32, levels: eight }],
  [[17, 3], { group: 3, levels: eight }]
]

const caseName = (shape: Shape, { group, levels }: CodebookAttributes): string =>
  `${shape.join("x")} g${group} ${levels.length} levels`

/** Shape [N, K / g] of the scales of both sides, after a check of all attributes. Raises ShapeMismatch and InvalidAttribute. */
const parameterShape = (kernel: string, weight: Shape, attributes: CodebookAttributes, operand = "weight"): Shape => {
  const { rows, groups } = groupExtents(kernel, weight, attributes.group, operand)
  codebook(kernel, attributes)
  return [rows, groups]
}

export const { kernel: fakeQuantCodebookKernel, gradientKernel: fakeQuantCodebookGradientKernel } = defineFakeQuant<
  "negative" | "positive",
  CodebookAttributes
>({
  name: "fakeQuantCodebook",
  parameters: ["negative", "positive"],
  parameterShape,
  cases,
  caseName,
  weight: (random, shape, { group }) => groupedWeights(random, shape, group),
  forward: { reference, native, gpujs, flops: 12 },
  backward: {
    reference: referenceGradient,
    native: nativeGradient,
    gpujs: gpujsGradient,
    flops: 14,
    tolerance: { relative: 1e-4, absolute: 1e-5 }
  }
})

/** Scales of both sides for samples, as the forward kernel gives them. */
const sides = (random: SampleRandom, shape: Shape, { group }: CodebookAttributes) => {
  const extents = [shape[0]!, shape[1]! / group]
  const positive = () => Float32Array.from({ length: sizeOf(extents) }, () => 0.1 + random.nextUniform())
  return { negative: { shape: extents, values: positive() }, positive: { shape: extents, values: positive() } }
}

const expectSides = (
  kernel: string,
  shapes: { readonly negative: Shape; readonly positive: Shape },
  weight: Shape,
  attributes: CodebookAttributes,
  operand = "weight"
): void => {
  const extents = parameterShape(kernel, weight, attributes, operand)
  expectShape(kernel, "negative", shapes.negative, extents)
  expectShape(kernel, "positive", shapes.positive, extents)
}

export const codebookCodesKernel = defineKernel<"weight" | "negative" | "positive", "codes", CodebookAttributes>({
  name: "codebookCodes",
  inputs: { weight: { dtypes: ["f32"] }, negative: { dtypes: ["f32"] }, positive: { dtypes: ["f32"] } },
  outputs: ["codes"],
  infer: ({ weight, ...scales }, attributes) => {
    expectSides("codebookCodes", scales, weight, attributes)
    return { codes: { shape: weight, dtype: "u8" } }
  },
  reference: referenceCodes,
  native: nativeCodes,
  gpujs: gpujsCodes,
  cost: ({ inputs }) => ({ flops: 10 * sizeOf(inputs.weight), bytes: 5 * sizeOf(inputs.weight) }),
  samples: (random) =>
    cases.map(([shape, attributes]) => ({
      name: caseName(shape, attributes),
      inputs: { weight: groupedWeights(random, shape, attributes.group), ...sides(random, shape, attributes) },
      attributes
    })),
  tolerance: { relative: 0, absolute: 0 }
})

export const codebookDecodeKernel = defineKernel<"codes" | "negative" | "positive", "y", CodebookAttributes>({
  name: "codebookDecode",
  inputs: { codes: { dtypes: ["u8"] }, negative: { dtypes: ["f32"] }, positive: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ codes, ...scales }, attributes) => {
    expectSides("codebookDecode", scales, codes, attributes, "codes")
    return { y: { shape: codes } }
  },
  reference: referenceDecode,
  native: nativeDecode,
  gpujs: gpujsDecode,
  cost: ({ outputs }) => ({ flops: 2 * sizeOf(outputs.y), bytes: 5 * sizeOf(outputs.y) }),
  samples: (random) =>
    cases.map(([shape, attributes]) => ({
      name: caseName(shape, attributes),
      inputs: {
        codes: {
          shape,
          dtype: "u8",
          values: Uint8Array.from({ length: sizeOf(shape) }, () =>
            Math.floor(random.nextUniform() * attributes.levels.length)
          )
        },
        ...sides(random, shape, attributes)
      },
      attributes
    })),
  tolerance: { relative: 0, absolute: 0 }
})

/** Weight [N, K] with every entry replaced by the nearest scaled level; differentiable straight-through. */
export const fakeQuantCodebook = (weight: Tensor, attributes: CodebookAttributes): Tensor =>
  apply(fakeQuantCodebookKernel, { weight }, attributes).y

/** The same with the scales of the negative and positive side [N, K / g]. */
export const codebookParameters = (
  weight: Tensor,
  attributes: CodebookAttributes
): { readonly y: Tensor; readonly negative: Tensor; readonly positive: Tensor } =>
  apply(fakeQuantCodebookKernel, { weight }, attributes)

/** Index u8 [N, K] of the level that each weight takes, given the scales of both sides [N, K / g]. */
export const codebookCodes = (
  weight: Tensor,
  negative: Tensor,
  positive: Tensor,
  attributes: CodebookAttributes
): Tensor => apply(codebookCodesKernel, { weight, negative, positive }, attributes).codes

/** The weight [N, K] that level indices stand for. */
export const codebookDecode = (
  codes: Tensor,
  negative: Tensor,
  positive: Tensor,
  attributes: CodebookAttributes
): Tensor => apply(codebookDecodeKernel, { codes, negative, positive }, attributes).y
