/** Codes of a weight on a given grid, and the weight that codes stand for: scale (code - zero), one scale a group of columns. */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { normals } from "../operands/samples.ts"
import { type GridAttributes, type GridCodesAttributes, gridGroup } from "./geometry.ts"
import { gpujsCodes, gpujsDecode } from "./gpujs.ts"
import { native, nativeDecode } from "./native.ts"
import { reference, referenceDecode } from "./reference.ts"
import { gridCases, gridName, gridOperands } from "./samples.ts"

export const gridCodesKernel = defineKernel<"weight" | "scale" | "zero", "codes", GridCodesAttributes>({
  name: "gridCodes",
  inputs: { weight: { dtypes: ["f32"] }, scale: { dtypes: ["f32"] }, zero: { dtypes: ["f32"] } },
  outputs: ["codes"],
  infer: ({ weight, scale, zero }, attributes) => {
    gridGroup("gridCodes", weight, scale, zero, attributes)
    return { codes: { shape: weight, dtype: "u8" } }
  },
  reference,
  native,
  gpujs: gpujsCodes,
  cost: ({ inputs }) => ({ flops: 5 * sizeOf(inputs.weight), bytes: 5 * sizeOf(inputs.weight) }),
  samples: (random) =>
    gridCases.flatMap((sample) =>
      (["f32", "f16"] as const).map((arithmetic) => ({
        name: `${gridName(sample)} ${arithmetic}`,
        inputs: { weight: normals(random, [sample.rows, sample.columns], 0.02), ...gridOperands(random, sample) },
        attributes: { bits: sample.bits, arithmetic }
      }))
    ),
  tolerance: { relative: 0, absolute: 0 }
})

export const gridDecodeKernel = defineKernel<"codes" | "scale" | "zero", "y", GridAttributes>({
  name: "gridDecode",
  inputs: { codes: { dtypes: ["u8"] }, scale: { dtypes: ["f32"] }, zero: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ codes, scale, zero }, attributes) => {
    gridGroup("gridDecode", codes, scale, zero, attributes, "codes")
    return { y: { shape: codes } }
  },
  reference: referenceDecode,
  native: nativeDecode,
  gpujs: gpujsDecode,
  cost: ({ outputs }) => ({ flops: 2 * sizeOf(outputs.y), bytes: 5 * sizeOf(outputs.y) }),
  samples: (random) =>
    gridCases.map((sample) => ({
      name: gridName(sample),
      inputs: {
        codes: {
          shape: [sample.rows, sample.columns],
          dtype: "u8",
          values: Uint8Array.from({ length: sample.rows * sample.columns }, () =>
            Math.floor(random.nextUniform() * 2 ** sample.bits)
          )
        },
        ...gridOperands(random, sample)
      },
      attributes: { bits: sample.bits }
    })),
  tolerance: { relative: 0, absolute: 0 }
})

/** Codes u8 [N, K] of a weight on the grid of `scale` and `zero` [N, K / g]: the nearest, ties to even. */
export const gridCodes = (
  weight: Tensor,
  scale: Tensor,
  zero: Tensor,
  bits: number,
  arithmetic: "f32" | "f16" = "f32"
): Tensor => apply(gridCodesKernel, { weight, scale, zero }, { bits, arithmetic }).codes

/** The weight [N, K] that codes stand for on a grid [N, K / g]. */
export const gridDecode = (codes: Tensor, scale: Tensor, zero: Tensor, bits: number): Tensor =>
  apply(gridDecodeKernel, { codes, scale, zero }, { bits }).y
