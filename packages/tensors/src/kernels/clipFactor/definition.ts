/** norm = sqrt(total), factor = min(1, maxNorm / (norm + 1e-6)): clipping by global norm, from the sum of squares of all gradients. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import type { Tensor } from "../../Tensor.ts"
import { expectAtLeast, expectShape } from "../shapeRules.ts"
import type { ClipFactorAttributes } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const clipFactorKernel = defineKernel<"total", "factor" | "norm", ClipFactorAttributes>({
  name: "clipFactor",
  inputs: { total: { dtypes: ["f32"] } },
  outputs: ["factor", "norm"],
  infer: ({ total }, { maxNorm }) => {
    expectShape("clipFactor", "total", total, [1])
    expectAtLeast("clipFactor", "maxNorm", maxNorm, 0)
    return { factor: { shape: [1] }, norm: { shape: [1] } }
  },
  reference,
  native,
  gpujs,
  cost: () => ({ flops: 4, bytes: 12 }),
  samples: () =>
    [0, 1e-14, 0.25, 1, 9, 1e12].map((total) => ({
      name: `total ${total}`,
      inputs: { total: { shape: [1], values: [total] } },
      attributes: { maxNorm: 1 }
    }))
})

/** The norm [1] of gradients whose squares sum to `total` [1], and the factor [1], at most 1, that brings it down to `maxNorm`. */
export const clipFactor = (total: Tensor, maxNorm: number): { readonly factor: Tensor; readonly norm: Tensor } =>
  apply(clipFactorKernel, { total }, { maxNorm })
