/**
 * SPEED-Q's bilevel quantizer as kernels (arXiv:2511.08914 §3; docs/method.md, "Bilevel quantizer"): asymmetric groups
 * of g columns with b-bit codes and b-bit zero points, whose scales are themselves 4-bit codes over qq rows.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { defineFakeQuant } from "../groups/defineFakeQuant.ts"
import { normals, type SampleOperand, type SampleRandom } from "../operands/samples.ts"
import { expectShape } from "../operands/shapeRules.ts"
import { type BilevelAttributes, bilevelExtents, type CodeName, type FoundName, type SearchedName } from "./geometry.ts"
import { gpujs, gpujsCodes, gpujsDecode, gpujsGradient, gpujsSearch } from "./gpujs.ts"
import { native, nativeCodes, nativeDecode, nativeGradient, nativeSearch } from "./native.ts"
import { reference, referenceCodes, referenceDecode, referenceGradient, referenceSearch } from "./reference.ts"
import { webgpu, webgpuGradient } from "./webgpu.ts"

export type { BilevelAttributes } from "./geometry.ts"

const cases: readonly (readonly [Shape, BilevelAttributes])[] = [
  [[16, 32], { bits: 2, group: 16, scaleGroup: 16, secondLevel: "f16", commonScale: "exact", arithmetic: "f32" }],
  [[48, 80], { bits: 2, group: 16, scaleGroup: 16, secondLevel: "f32", commonScale: "reference", arithmetic: "f32" }],
  [[33, 64], { bits: 4, group: 32, scaleGroup: 6, secondLevel: "f16", commonScale: "exact", arithmetic: "f32" }],
  [[6, 21], { bits: 3, group: 7, scaleGroup: 3, secondLevel: "f32", commonScale: "exact", arithmetic: "f32" }],
  [[16, 32], { bits: 2, group: 16, scaleGroup: 16, secondLevel: "f32", commonScale: "reference", arithmetic: "bf16" }],
  [[0, 32], { bits: 2, group: 16, scaleGroup: 16, secondLevel: "f32", commonScale: "exact", arithmetic: "f32" }],
  [[67, 96], { bits: 4, group: 32, scaleGroup: 67, secondLevel: "f32", commonScale: "exact", arithmetic: "f32" }],
  [[17, 3], { bits: 2, group: 3, scaleGroup: 17, secondLevel: "f16", commonScale: "exact", arithmetic: "f32" }],
  // Scales by themselves: of groups that have no other weight than 0 and s, and each in a second-level group of its own.
  [[8, 6], { bits: 1, group: 3, scaleGroup: 4, secondLevel: "f16", commonScale: "exact", arithmetic: "f32" }],
  [[5, 32], { bits: 2, group: 16, scaleGroup: 1, secondLevel: "f32", commonScale: "exact", arithmetic: "f32" }],
  [[1, 51], { bits: 3, group: 17, scaleGroup: 3, secondLevel: "f32", commonScale: "exact", arithmetic: "f32" }]
]

const caseName = (shape: Shape, { bits, group, scaleGroup, secondLevel, arithmetic }: BilevelAttributes): string =>
  `${shape.join("x")} b${bits} g${group} qq${scaleGroup} ${secondLevel} ${arithmetic}`

/** Normal weights with one constant group. */
const sampleWeight = (random: SampleRandom, shape: Shape, { group }: BilevelAttributes): SampleOperand => {
  const values = Float32Array.from(normals(random, shape, 0.02).values)
  values.fill(0.5, 0, group)
  return { shape, values }
}

export const { kernel: fakeQuantBilevelKernel, gradientKernel: fakeQuantBilevelGradientKernel } = defineFakeQuant<
  "scale" | "zero",
  BilevelAttributes
>({
  name: "fakeQuantBilevel",
  parameters: ["scale", "zero"],
  parameterShape: (kernel, weight, attributes) => {
    const { groups, rows } = bilevelExtents(kernel, weight, attributes)
    return [groups, rows]
  },
  cases,
  caseName,
  weight: sampleWeight,
  forward: { reference, native, gpujs, webgpu, flops: 8 },
  backward: {
    reference: referenceGradient,
    native: nativeGradient,
    gpujs: gpujsGradient,
    webgpu: webgpuGradient,
    flops: 2,
    tolerance: { relative: 0, absolute: 0 }
  }
})

const codeInputs = {
  codes: { dtypes: ["u8"] },
  zeros: { dtypes: ["u8"] },
  scaleCodes: { dtypes: ["u8"] },
  step: { dtypes: ["f32"] },
  origin: { dtypes: ["f32"] }
} as const

export const bilevelCodesKernel = defineKernel<"weight", CodeName, BilevelAttributes>({
  name: "bilevelCodes",
  inputs: { weight: { dtypes: ["f32"] } },
  outputs: ["codes", "zeros", "scaleCodes", "step", "origin"],
  infer: ({ weight }, attributes) => {
    const { groups, rows, scaleGroups } = bilevelExtents("bilevelCodes", weight, attributes)
    const perGroup = { shape: [groups, rows], dtype: "u8" } as const
    const perScaleGroup = { shape: [scaleGroups] }
    return {
      codes: { shape: weight, dtype: "u8" },
      zeros: perGroup,
      scaleCodes: perGroup,
      step: perScaleGroup,
      origin: perScaleGroup
    }
  },
  reference: referenceCodes,
  native: nativeCodes,
  gpujs: gpujsCodes,
  cost: ({ inputs }) => ({ flops: 8 * sizeOf(inputs.weight), bytes: 5 * sizeOf(inputs.weight) }),
  samples: (random) =>
    cases.map(([shape, attributes]) => ({
      name: caseName(shape, attributes),
      inputs: { weight: sampleWeight(random, shape, attributes) },
      attributes
    })),
  tolerance: { relative: 0, absolute: 0 }
})

/** Attributes of decoding: the width that the codes' shape [N, K] already has needs no repeating. */
export const bilevelDecodeKernel = defineKernel<CodeName, "y", BilevelAttributes>({
  name: "bilevelDecode",
  inputs: codeInputs,
  outputs: ["y"],
  infer: ({ codes, zeros, scaleCodes, step, origin }, attributes) => {
    const { groups, rows, scaleGroups } = bilevelExtents("bilevelDecode", codes, attributes, "codes")
    expectShape("bilevelDecode", "zeros", zeros, [groups, rows])
    expectShape("bilevelDecode", "scaleCodes", scaleCodes, [groups, rows])
    expectShape("bilevelDecode", "step", step, [scaleGroups])
    expectShape("bilevelDecode", "origin", origin, [scaleGroups])
    return { y: { shape: codes } }
  },
  reference: referenceDecode,
  native: nativeDecode,
  gpujs: gpujsDecode,
  cost: ({ outputs }) => ({ flops: 2 * sizeOf(outputs.y), bytes: 5 * sizeOf(outputs.y) }),
  samples: (random) =>
    cases.map(([shape, attributes]) => {
      const { groups, rows, scaleGroups } = bilevelExtents("sample", shape, attributes)
      const levels = 2 ** attributes.bits
      const below = (extents: Shape, limit: number) => ({
        shape: extents,
        dtype: "u8" as const,
        values: Uint8Array.from({ length: sizeOf(extents) }, () => Math.floor(random.nextUniform() * limit))
      })
      const small = (from: number) => ({
        shape: [scaleGroups],
        values: Float32Array.from({ length: scaleGroups }, () => from * (1 + random.nextUniform()))
      })
      return {
        name: caseName(shape, attributes),
        inputs: {
          codes: below(shape, levels),
          zeros: below([groups, rows], levels),
          scaleCodes: below([groups, rows], 16),
          step: small(0.001),
          origin: small(attributes.secondLevel === "f16" ? 0.01 : -8)
        },
        attributes
      }
    }),
  tolerance: { relative: 0, absolute: 0 }
})

export const bilevelSearchKernel = defineKernel<SearchedName, FoundName, BilevelAttributes>({
  name: "bilevelSearch",
  inputs: { weight: { dtypes: ["f32"] }, step: { dtypes: ["f32"] }, origin: { dtypes: ["f32"] } },
  outputs: ["codes", "zeros", "scaleCodes"],
  infer: ({ weight, step, origin }, attributes) => {
    const { groups, rows, scaleGroups } = bilevelExtents("bilevelSearch", weight, attributes)
    expectShape("bilevelSearch", "step", step, [scaleGroups])
    expectShape("bilevelSearch", "origin", origin, [scaleGroups])
    const perGroup = { shape: [groups, rows], dtype: "u8" } as const
    return { codes: { shape: weight, dtype: "u8" }, zeros: perGroup, scaleCodes: perGroup }
  },
  reference: referenceSearch,
  native: nativeSearch,
  gpujs: gpujsSearch,
  cost: ({ inputs }, { bits }) => ({
    flops: 16 * 2 ** bits * 10 * sizeOf(inputs.weight),
    bytes: 5 * sizeOf(inputs.weight)
  }),
  samples: (random) =>
    // Of two codes many scales and zero points are equally good, and which is found first is a matter of rounding.
    cases
      .filter(([, { bits }]) => bits > 1)
      .map(([shape, attributes]) => {
        const { scaleGroups } = bilevelExtents("sample", shape, attributes)
        const steps = Float32Array.from({ length: scaleGroups }, () => 0.001 * (1 + random.nextUniform()))
        const from = attributes.secondLevel === "f16" ? 0.005 : -8
        return {
          name: caseName(shape, attributes),
          inputs: {
            weight: sampleWeight(random, shape, attributes),
            step: { shape: [scaleGroups], values: steps },
            origin: { shape: [scaleGroups], values: steps.map(() => from * (1 + random.nextUniform())) }
          },
          attributes
        }
      }),
  tolerance: { relative: 0, absolute: 0 }
})

/** Weight [N, K] after bilevel quantization and dequantization; gradients pass straight through inside the range. */
export const fakeQuantBilevel = (weight: Tensor, attributes: BilevelAttributes): Tensor =>
  apply(fakeQuantBilevelKernel, { weight }, attributes).y

/** The same with the second-level scales and the zero points, [K / g, N]. */
export const bilevelParameters = (weight: Tensor, attributes: BilevelAttributes) =>
  apply(fakeQuantBilevelKernel, { weight }, attributes)

/** Codes [N, K], zeros and scale codes [K / g, N], step and origin of every second-level group. */
export const bilevelCodes = (weight: Tensor, attributes: BilevelAttributes) =>
  apply(bilevelCodesKernel, { weight }, attributes)

/** The weight [N, K] that codes stand for, the same bits as fakeQuantBilevel. */
export const bilevelDecode = (quantized: { readonly [K in CodeName]: Tensor }, attributes: BilevelAttributes): Tensor =>
  apply(bilevelDecodeKernel, quantized, attributes).y

/**
 * The scale code and the zero point of every group [K / g, N] with the least squared error of its weights, where step and
 * origin of the second level are given; ties to the lower code, then to the lower zero point. With the codes [N, K] on that grid.
 */
export const bilevelSearch = (
  operands: { readonly [K in SearchedName]: Tensor },
  attributes: BilevelAttributes
): { readonly [K in FoundName]: Tensor } => apply(bilevelSearchKernel, operands, attributes)

/** Straight-through gradient of a weight [N, K] on grids, scales and zeros [K / g, N], that were found by other means. */
export const bilevelStraightThrough = (
  operands: { readonly dy: Tensor; readonly weight: Tensor; readonly scale: Tensor; readonly zero: Tensor },
  attributes: BilevelAttributes
): Tensor => apply(fakeQuantBilevelGradientKernel, operands, attributes).dweight
