/** factor = min(1, maxNorm / (sqrt(total) + 1e-6)): clipping by global norm, from the sum of squares of all gradients. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import type { Tensor } from "../../Tensor.ts"
import { expectAtLeast, expectShape } from "../shapeRules.ts"
import type { ClipFactorAttributes } from "./geometry.ts"
import { reference } from "./reference.ts"

export const clipFactorKernel = defineKernel<"total", "factor", ClipFactorAttributes>({
  name: "clipFactor",
  inputs: { total: { dtypes: ["f32"] } },
  outputs: ["factor"],
  infer: ({ total }, { maxNorm }) => {
    expectShape("clipFactor", "total", total, [1])
    expectAtLeast("clipFactor", "maxNorm", maxNorm, 0)
    return { factor: { shape: [1] } }
  },
  reference,
  cost: () => ({ flops: 4, bytes: 8 }),
  samples: () =>
    [0, 1e-14, 0.25, 1, 9, 1e12].map((total) => ({
      name: `total ${total}`,
      inputs: { total: { shape: [1], values: [total] } },
      attributes: { maxNorm: 1 }
    }))
})

/** The factor that brings gradients whose squares sum to `total` [1] down to `maxNorm`: [1], at most 1. */
export const clipFactor = (total: Tensor, maxNorm: number): Tensor =>
  apply(clipFactorKernel, { total }, { maxNorm }).factor
