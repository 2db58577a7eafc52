/**
 * replaceRows: a copy of base with y[index[n]] = rows[n]: visual tokens put into the text.
 * zeroRows: a copy of x with y[index[n]] = 0: what is left of the gradient for the base.
 * base and x [R, C], rows [n, C], index i32 [n]; no row may be named twice in replaceRows.
 */
import { apply } from "../../core/apply.ts"
import { ShapeMismatch } from "../../core/Errors.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { formatShape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { gatherRows } from "../gatherRows/definition.ts"
import { distinct, normals } from "../operands/samples.ts"
import { expectAxes, expectShape } from "../operands/shapeRules.ts"
import { gpujsReplace, gpujsZero } from "./gpujs.ts"
import { nativeReplace, nativeZero } from "./native.ts"
import { referenceReplace, referenceZero } from "./reference.ts"

const cases = [
  { count: 1, columns: 1, replaced: 1 },
  { count: 5, columns: 17, replaced: 3 },
  { count: 7, columns: 4, replaced: 0 },
  { count: 3, columns: 8, replaced: 3 },
  { count: 131, columns: 67, replaced: 63 }
]

export const replaceRowsKernel = defineKernel<"base" | "rows" | "index", "y", object>({
  name: "replaceRows",
  inputs: { base: { dtypes: ["f32"] }, rows: { dtypes: ["f32"] }, index: { dtypes: ["i32"] } },
  outputs: ["y"],
  infer: ({ base, rows, index }) => {
    expectAxes("replaceRows", "base", base, 2)
    if (rows.length !== 2 || rows[1] !== base[1]) {
      throw new ShapeMismatch("replaceRows", "rows", `[n, C] with the columns of "base" ${formatShape(base)}`, rows)
    }
    expectShape("replaceRows", "index", index, rows.slice(0, 1))
    return { y: { shape: base } }
  },
  gradient: {
    saves: { inputs: ["index"] },
    backward: ({ saved: { index }, cotangents: { y: dy }, wanted }) => {
      if (!dy || !index) return {}
      return {
        base: wanted.base ? zeroRows(dy, index) : undefined,
        rows: wanted.rows ? gatherRows(dy, index) : undefined
      }
    }
  },
  reference: referenceReplace,
  native: nativeReplace,
  gpujs: gpujsReplace,
  cost: ({ outputs }) => ({ flops: 0, bytes: 8 * sizeOf(outputs.y) }),
  samples: (random) =>
    cases.map(({ count, columns, replaced }) => ({
      name: `${replaced} of ${count}x${columns}`,
      inputs: {
        base: normals(random, [count, columns]),
        rows: normals(random, [replaced, columns]),
        index: distinct(random, replaced, count)
      },
      attributes: {}
    }))
})

export const zeroRowsKernel = defineKernel<"x" | "index", "y", object>({
  name: "zeroRows",
  inputs: { x: { dtypes: ["f32"] }, index: { dtypes: ["i32"] } },
  outputs: ["y"],
  infer: ({ x, index }) => {
    expectAxes("zeroRows", "x", x, 2)
    expectAxes("zeroRows", "index", index, 1)
    return { y: { shape: x } }
  },
  gradient: {
    saves: { inputs: ["index"] },
    backward: ({ saved: { index }, cotangents: { y: dy } }) => (dy && index ? { x: zeroRows(dy, index) } : {})
  },
  reference: referenceZero,
  native: nativeZero,
  gpujs: gpujsZero,
  cost: ({ outputs }) => ({ flops: 0, bytes: 8 * sizeOf(outputs.y) }),
  samples: (random) =>
    cases.map(({ count, columns, replaced }) => ({
      name: `${replaced} of ${count}x${columns}`,
      inputs: { x: normals(random, [count, columns]), index: distinct(random, replaced, count) },
      attributes: {}
    }))
})

/** A copy of base [R, C] with rows [n, C] at index i32 [n]. Raises InvalidIndex where the backend can look. */
export const replaceRows = (base: Tensor, rows: Tensor, index: Tensor): Tensor =>
  apply(replaceRowsKernel, { base, rows, index }, {}).y

/** A copy of x [R, C] with the rows at index i32 [n] zero. */
export const zeroRows = (x: Tensor, index: Tensor): Tensor => apply(zeroRowsKernel, { x, index }, {}).y
