/** y = min(max(w, low), high) with one range a group of columns: applies the result of the clipping search. */
import { apply } from "../../apply.ts"
import { ShapeMismatch } from "../../Errors.ts"
import { defineKernel } from "../../Kernel.ts"
import { formatShape, sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { normals } from "../samples.ts"
import { expectShape } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const clampGroupsKernel = defineKernel<"weight" | "low" | "high", "y", object>({
  name: "clampGroups",
  inputs: { weight: { dtypes: ["f32"] }, low: { dtypes: ["f32"] }, high: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ weight, low, high }) => {
    const [rows, columns] = weight
    const groups = low[1]
    if (weight.length !== 2 || low.length !== 2 || low[0] !== rows || !groups || columns! % groups !== 0) {
      throw new ShapeMismatch("clampGroups", "low", `[N, groups] for "weight" ${formatShape(weight)}`, low)
    }
    expectShape("clampGroups", "high", high, low)
    return { y: { shape: weight } }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 2 * sizeOf(inputs.weight), bytes: 8 * sizeOf(inputs.weight) }),
  samples: (random) =>
    [
      { rows: 3, columns: 20, groups: 4 },
      { rows: 1, columns: 17, groups: 1 },
      { rows: 0, columns: 8, groups: 2 },
      { rows: 67, columns: 96, groups: 3 }
    ].map(({ rows, columns, groups }) => ({
      name: `${rows}x${columns} in ${groups}`,
      inputs: {
        weight: normals(random, [rows, columns]),
        low: { shape: [rows, groups], values: new Float32Array(rows * groups).fill(-0.5) },
        high: { shape: [rows, groups], values: new Float32Array(rows * groups).fill(0.75) }
      },
      attributes: {}
    })),
  tolerance: { relative: 0, absolute: 0 }
})

/** Clamps every group of `weight` [N, K] to [low, high], both [N, groups]. */
export const clampGroups = (weight: Tensor, low: Tensor, high: Tensor): Tensor =>
  apply(clampGroupsKernel, { weight, low, high }, {}).y
