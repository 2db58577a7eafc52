/**
 * gatherRows: y[n] = table[index[n]]: embedding rows; rows of visual tokens.
 * scatterAddRows: y[v] = sum over n with index[n] = v of rows[n], n in order, so that two runs agree to the bit.
 * table [V, C] (f32, bf16 or f16), index i32 [n...], rows [n..., C]. Each is the other's gradient.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { halves, integers, normals } from "../operands/samples.ts"
import { expectAxes, expectInteger, expectShape } from "../operands/shapeRules.ts"
import type { ScatterAttributes } from "./geometry.ts"
import { gpujsGather, gpujsScatterAdd } from "./gpujs.ts"
import { nativeGather, nativeScatterAdd } from "./native.ts"
import { referenceGather, referenceScatterAdd } from "./reference.ts"

const cases: readonly { readonly count: number; readonly columns: number; readonly index: Shape }[] = [
  { count: 1, columns: 1, index: [1] },
  { count: 5, columns: 17, index: [3] },
  { count: 3, columns: 4, index: [2, 5] },
  { count: 4, columns: 3, index: [0] },
  { count: 131, columns: 67, index: [257] }
]

export const gatherRowsKernel = defineKernel<"table" | "index", "y", object>({
  name: "gatherRows",
  inputs: { table: { dtypes: ["f32", "bf16", "f16"] }, index: { dtypes: ["i32"] } },
  outputs: ["y"],
  infer: ({ table, index }) => {
    expectAxes("gatherRows", "table", table, 2)
    return { y: { shape: [...index, table[1]!] } }
  },
  gradient: {
    saves: { inputs: ["index"] },
    backward: ({ saved: { index }, cotangents: { y: dy }, shapes: { inputs } }) =>
      dy && index ? { table: scatterAddRows(dy, index, inputs.table[0]!) } : {}
  },
  reference: referenceGather,
  native: nativeGather,
  gpujs: gpujsGather,
  cost: ({ outputs }) => ({ flops: 0, bytes: 8 * sizeOf(outputs.y) }),
  samples: (random) => [
    ...cases.map(({ count, columns, index }) => ({
      name: `${index.join("x")} of ${count}x${columns}`,
      inputs: { table: normals(random, [count, columns]), index: integers(random, index, count) },
      attributes: {}
    })),
    ...(["bf16", "f16"] as const).map((dtype) => ({
      name: dtype,
      inputs: { table: halves(random, [7, 9], dtype), index: integers(random, [5], 7) },
      attributes: {}
    }))
  ]
})

export const scatterAddRowsKernel = defineKernel<"rows" | "index", "y", ScatterAttributes>({
  name: "scatterAddRows",
  inputs: { rows: { dtypes: ["f32"] }, index: { dtypes: ["i32"] } },
  outputs: ["y"],
  infer: ({ rows, index }, { count }) => {
    expectInteger("scatterAddRows", "count", count, 0)
    expectAxes("scatterAddRows", "rows", rows, index.length + 1)
    expectShape("scatterAddRows", "index", index, rows.slice(0, -1))
    return { y: { shape: [count, rows.at(-1)!] } }
  },
  gradient: {
    saves: { inputs: ["index"] },
    backward: ({ saved: { index }, cotangents: { y: dy } }) => (dy && index ? { rows: gatherRows(dy, index) } : {})
  },
  reference: referenceScatterAdd,
  native: nativeScatterAdd,
  gpujs: gpujsScatterAdd,
  cost: ({ inputs, outputs }) => ({
    flops: sizeOf(inputs.rows),
    bytes: 8 * sizeOf(inputs.rows) + 4 * sizeOf(outputs.y)
  }),
  samples: (random) =>
    cases.map(({ count, columns, index }) => ({
      name: `${index.join("x")} to ${count}x${columns}`,
      inputs: { rows: normals(random, [...index, columns]), index: integers(random, index, count) },
      attributes: { count }
    })),
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** Rows of a table: table [V, C], index i32 [n...] -> [n..., C] in f32. Raises InvalidIndex where the backend can look. */
export const gatherRows = (table: Tensor, index: Tensor): Tensor => apply(gatherRowsKernel, { table, index }, {}).y

/** Sums rows [n..., C] into `count` rows by index i32 [n...]; rows that no index names are zero. */
export const scatterAddRows = (rows: Tensor, index: Tensor, count: number): Tensor =>
  apply(scatterAddRowsKernel, { rows, index }, { count }).y
