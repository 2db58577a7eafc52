/**
 * Scale and zero point of every group before AdaRound (docs/method.md, "Scales before rounding"): from the range, or by
 * least |w - q|^2.4 over shrunk ranges.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { groupExtents } from "../groups/extents.ts"
import { normals } from "../operands/samples.ts"
import { expectInteger } from "../operands/shapeRules.ts"
import type { AdaroundScalesAttributes } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export type { AdaroundScalesAttributes } from "./geometry.ts"

export const adaroundScalesKernel = defineKernel<"weight", "scale" | "zero", AdaroundScalesAttributes>({
  name: "adaroundScales",
  inputs: { weight: { dtypes: ["f32"] } },
  outputs: ["scale", "zero"],
  infer: ({ weight }, { bits, group }) => {
    expectInteger("adaroundScales", "bits", bits, 1)
    const { rows, groups } = groupExtents("adaroundScales", weight, group)
    const scales = { shape: [rows, groups] }
    return { scale: scales, zero: scales }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }, { method }) => ({
    flops: (method === "max" ? 2 : 80 * 20) * sizeOf(inputs.weight),
    bytes: 4 * sizeOf(inputs.weight)
  }),
  samples: (random) =>
    (["max", "mse"] as const).flatMap((method) =>
      [
        { shape: [5, 32], bits: 2, group: 16 },
        { shape: [3, 64], bits: 4, group: 32 },
        { shape: [2, 21], bits: 3, group: 7 },
        { shape: [0, 8], bits: 2, group: 4 },
        { shape: [33, 96], bits: 4, group: 32 },
        { shape: [1, 17], bits: 2, group: 17 }
      ].map(({ shape, bits, group }) => ({
        name: `${method} ${shape.join("x")} b${bits} g${group}`,
        inputs: { weight: normals(random, shape, 0.02) },
        attributes: { bits, group, method }
      }))
    )
})

/** Scale and zero point [N, K / g] of the groups of a weight [N, K]. */
export const adaroundScales = (weight: Tensor, attributes: AdaroundScalesAttributes) =>
  apply(adaroundScalesKernel, { weight }, attributes)
