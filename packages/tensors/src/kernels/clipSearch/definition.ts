/**
 * Asymmetric clipping search before quantization-aware training (arXiv:2511.08914 §3; docs/method.md,
 * "Clipping search"), and the second moments of a Linear's inputs that it needs.
 */
import { apply } from "../../core/apply.ts"
import { ShapeMismatch } from "../../core/Errors.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { normals } from "../operands/samples.ts"
import { expectInteger, expectShape } from "../operands/shapeRules.ts"
import { type ClipSearchAttributes, candidatesPerEnd, clipGroups, type GramAttributes } from "./geometry.ts"
import { gpujs, gpujsGram } from "./gpujs.ts"
import { nativeGram, nativeSearch } from "./native.ts"
import { reference, referenceGram } from "./reference.ts"

export type { ClipSearchAttributes } from "./geometry.ts"

export const gramKernel = defineKernel<"x", "gram", GramAttributes>({
  name: "gram",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["gram"],
  infer: ({ x }, { group }) => {
    expectInteger("gram", "group", group, 1)
    if (x.length !== 2 || x[1]! % group !== 0) {
      throw new ShapeMismatch("gram", "x", `[tokens, columns] with columns a multiple of group ${group}`, x)
    }
    return { gram: { shape: [x[1]! / group, group, group] } }
  },
  reference: referenceGram,
  native: nativeGram,
  gpujs: gpujsGram,
  cost: ({ inputs }, { group }) => ({ flops: 2 * sizeOf(inputs.x) * group, bytes: 4 * sizeOf(inputs.x) }),
  samples: (random) =>
    [
      { tokens: 1, columns: 16, group: 16 },
      { tokens: 37, columns: 64, group: 16 },
      { tokens: 5, columns: 21, group: 7 },
      { tokens: 3, columns: 0, group: 4 },
      { tokens: 67, columns: 96, group: 32 },
      { tokens: 17, columns: 17, group: 17 }
    ].map(({ tokens, columns, group }) => ({
      name: `${tokens}x${columns} g${group}`,
      inputs: { x: normals(random, [tokens, columns]) },
      attributes: { group }
    }))
})

interface SearchCase extends Pick<ClipSearchAttributes, "bits" | "group" | "arithmetic"> {
  readonly rows: number
  readonly columns: number
}

const searchCases: readonly SearchCase[] = [
  { rows: 5, columns: 32, bits: 2, group: 16 },
  { rows: 3, columns: 64, bits: 4, group: 32 },
  { rows: 2, columns: 21, bits: 3, group: 7 },
  { rows: 0, columns: 8, bits: 2, group: 4 },
  { rows: 33, columns: 64, bits: 2, group: 16 },
  { rows: 5, columns: 32, bits: 2, group: 16, arithmetic: "bf16" },
  { rows: 7, columns: 42, bits: 4, group: 21, arithmetic: "bf16" },
  { rows: 1, columns: 17, bits: 2, group: 17 }
]

export const clipSearchKernel = defineKernel<
  "weight" | "gram",
  "max" | "min" | "error" | "errorUnclipped",
  ClipSearchAttributes
>({
  name: "clipSearch",
  inputs: { weight: { dtypes: ["f32"] }, gram: { dtypes: ["f32"] } },
  outputs: ["max", "min", "error", "errorUnclipped"],
  infer: ({ weight, gram }, attributes) => {
    const groups = clipGroups("clipSearch", "weight", weight, attributes)
    expectShape("clipSearch", "gram", gram, [groups, attributes.group, attributes.group])
    const perGroup = { shape: [weight[0]!, groups] }
    return { max: perGroup, min: perGroup, error: perGroup, errorUnclipped: perGroup }
  },
  reference,
  native: nativeSearch,
  gpujs,
  cost: ({ inputs }, attributes) => ({
    flops: 2 * candidatesPerEnd(attributes) ** 2 * sizeOf(inputs.weight) * attributes.group,
    bytes: 4 * sizeOf(inputs.weight)
  }),
  samples: (random) =>
    searchCases.map(({ rows, columns, bits, group, arithmetic = "f32" }) => {
      const tokens = Array.from({ length: 40 }, () => Array.from({ length: columns }, () => random.nextNormal()))
      const gram = Float32Array.from({ length: columns * group }, (_, index) => {
        const [j, a, b] = [Math.floor(index / group ** 2), Math.floor(index / group) % group, index % group]
        return tokens.reduce((sum, x) => sum + x[j * group + a]! * x[j * group + b]!, 0) / tokens.length
      })
      return {
        name: `${rows}x${columns} b${bits} g${group} ${arithmetic}`,
        inputs: {
          weight: normals(random, [rows, columns], 0.02),
          gram: { shape: [columns / group, group, group], values: gram }
        },
        attributes: { bits, group, gridSize: 20, maxShrink: 0.5, arithmetic }
      }
    }),
  // Errors are differences of near-equal numbers: their relative accuracy in f32 is that of the quadratic form.
  tolerance: { relative: 1e-4, absolute: 1e-7 }
})

/** Second moments of each column group of x [tokens, K], averaged over tokens: [K / g, g, g]. */
export const gram = (x: Tensor, group: number): Tensor => apply(gramKernel, { x }, { group }).gram

/** Best range [N, K / g] of each group of a weight [N, K], with its error and the unclipped one's. */
export const clipSearch = (weight: Tensor, gramOfInputs: Tensor, attributes: ClipSearchAttributes) =>
  apply(clipSearchKernel, { weight, gram: gramOfInputs }, attributes)
