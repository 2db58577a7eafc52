/** Start of AdaRound (adaround.md 3): alpha at which the soft rounding h(alpha) equals the fraction that rounding down drops. */
import { apply } from "../../apply.ts"
import { ShapeMismatch } from "../../Errors.ts"
import { defineKernel } from "../../Kernel.ts"
import { formatShape, sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { normals } from "../samples.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const adaroundInitialKernel = defineKernel<"weight" | "scale", "alpha", object>({
  name: "adaroundInitial",
  inputs: { weight: { dtypes: ["f32"] }, scale: { dtypes: ["f32"] } },
  outputs: ["alpha"],
  infer: ({ weight, scale }) => {
    const [rows, columns] = weight
    if (weight.length !== 2 || scale.length !== 2 || scale[0] !== rows || !scale[1] || columns! % scale[1] !== 0) {
      throw new ShapeMismatch("adaroundInitial", "scale", `[N, groups] for "weight" ${formatShape(weight)}`, scale)
    }
    return { alpha: { shape: weight } }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 20 * sizeOf(inputs.weight), bytes: 8 * sizeOf(inputs.weight) }),
  samples: (random) =>
    [
      { rows: 3, columns: 32, groups: 2 },
      { rows: 1, columns: 17, groups: 1 },
      { rows: 0, columns: 8, groups: 2 },
      { rows: 67, columns: 96, groups: 3 }
    ].map(({ rows, columns, groups }) => ({
      name: `${rows}x${columns} in ${groups}`,
      inputs: {
        weight: normals(random, [rows, columns], 0.02),
        scale: {
          shape: [rows, groups],
          values: Float32Array.from({ length: rows * groups }, () => 0.01 * (1 + random.nextUniform()))
        }
      },
      attributes: {}
    })),
  // Near a whole w / scale the fraction loses digits in f32.
  tolerance: { relative: 1e-3, absolute: 1e-3 }
})

/** alpha [N, K] with h(alpha) = w / scale - floor(w / scale), for a weight [N, K] and scales [N, K / g]. */
export const adaroundInitial = (weight: Tensor, scale: Tensor): Tensor =>
  apply(adaroundInitialKernel, { weight, scale }, {}).alpha
