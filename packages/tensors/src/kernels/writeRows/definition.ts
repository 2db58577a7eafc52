/** target[index[i]] = rows[i], in place: the key-value cache. */
import { apply } from "../../apply.ts"
import { ShapeMismatch } from "../../Errors.ts"
import { defineKernel } from "../../Kernel.ts"
import { formatShape, sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { distinct, normals } from "../samples.ts"
import { expectShape } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const writeRowsKernel = defineKernel<"target" | "rows" | "index", never, object>({
  name: "writeRows",
  inputs: { target: { dtypes: ["f32"], updated: true }, rows: { dtypes: ["f32"] }, index: { dtypes: ["i32"] } },
  outputs: [],
  infer: ({ target, rows, index }) => {
    if (rows.length !== 2 || target.length !== 2 || rows[1] !== target[1]) {
      throw new ShapeMismatch("writeRows", "rows", `[n, C] with the columns of "target" ${formatShape(target)}`, rows)
    }
    expectShape("writeRows", "index", index, [rows[0]!])
    return {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 0, bytes: 8 * sizeOf(inputs.rows) }),
  samples: (random) => [
    {
      name: "three of five",
      inputs: {
        target: normals(random, [5, 7]),
        rows: normals(random, [3, 7]),
        index: { shape: [3], dtype: "i32", values: [4, 0, 2] }
      },
      attributes: {}
    },
    {
      name: "many",
      inputs: {
        target: normals(random, [131, 67]),
        rows: normals(random, [63, 67]),
        index: distinct(random, 63, 131)
      },
      attributes: {}
    },
    {
      name: "one of seventeen",
      inputs: {
        target: normals(random, [17, 3]),
        rows: normals(random, [1, 3]),
        index: { shape: [1], dtype: "i32", values: [16] }
      },
      attributes: {}
    },
    {
      name: "none",
      inputs: {
        target: normals(random, [2, 3]),
        rows: normals(random, [0, 3]),
        index: { shape: [0], dtype: "i32", values: [] }
      },
      attributes: {}
    }
  ]
})

/** Overwrites rows of `target` [R, C] at `index` i32 [n] with `rows` [n, C]; indices must differ. */
export const writeRows = (target: Tensor, rows: Tensor, index: Tensor): void => {
  apply(writeRowsKernel, { target, rows, index }, {})
}
