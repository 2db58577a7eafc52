/**
 * prependRow: y[t] = row, then x[t]: the class token before the patches. x [T, N, C], row [C] -> [T, N+1, C].
 * dropFirstRow: x[t] without its first row, [T, N, C] -> [T, N-1, C]. The gradient of each uses the other.
 */
import { apply } from "../../apply.ts"
import { ShapeMismatch } from "../../Errors.ts"
import { defineKernel } from "../../Kernel.ts"
import { reshape } from "../../reshape.ts"
import { type Shape, sizeOf } from "../../Shape.ts"
import { type Tensor, tensor, zeros } from "../../Tensor.ts"
import { columnSums } from "../addBroadcast/definition.ts"
import { gatherRows } from "../gatherRows/definition.ts"
import { normals } from "../samples.ts"
import { expectAxes, expectShape } from "../shapeRules.ts"
import { gpujsDropFirst, gpujsPrepend } from "./gpujs.ts"
import { nativeDropFirst, nativePrepend } from "./native.ts"
import { referenceDropFirst, referencePrepend } from "./reference.ts"

const shapes: readonly Shape[] = [
  [1, 1, 1],
  [2, 3, 5],
  [3, 1, 17],
  [0, 2, 3],
  [5, 33, 67]
]

/** Sum over t of x[t, 0]. */
const sumOfFirstRows = (x: Tensor): Tensor => {
  const [tiles, count, columns] = x.shape as [number, number, number]
  const first = tensor(
    x.backend,
    Int32Array.from({ length: tiles }, (_, t) => t * count),
    [tiles],
    "i32"
  )
  return columnSums(gatherRows(reshape(x, [tiles * count, columns]), first))
}

export const prependRowKernel = defineKernel<"x" | "row", "y", object>({
  name: "prependRow",
  inputs: { x: { dtypes: ["f32"] }, row: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x, row }) => {
    expectAxes("prependRow", "x", x, 3)
    expectShape("prependRow", "row", row, x.slice(2))
    return { y: { shape: [x[0]!, x[1]! + 1, x[2]!] } }
  },
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, wanted }) => {
      if (!dy) return {}
      return { x: wanted.x ? dropFirstRow(dy) : undefined, row: wanted.row ? sumOfFirstRows(dy) : undefined }
    }
  },
  reference: referencePrepend,
  native: nativePrepend,
  gpujs: gpujsPrepend,
  cost: ({ outputs }) => ({ flops: 0, bytes: 8 * sizeOf(outputs.y) }),
  samples: (random) =>
    shapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { x: normals(random, shape), row: normals(random, shape.slice(2)) },
      attributes: {}
    }))
})

export const dropFirstRowKernel = defineKernel<"x", "y", object>({
  name: "dropFirstRow",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => {
    expectAxes("dropFirstRow", "x", x, 3)
    if (x[1]! < 1) throw new ShapeMismatch("dropFirstRow", "x", "at least one row", x)
    return { y: { shape: [x[0]!, x[1]! - 1, x[2]!] } }
  },
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, shapes: { inputs } }) =>
      dy ? { x: prependRow(dy, zeros(dy.backend, inputs.x.slice(2))) } : {}
  },
  reference: referenceDropFirst,
  native: nativeDropFirst,
  gpujs: gpujsDropFirst,
  cost: ({ outputs }) => ({ flops: 0, bytes: 8 * sizeOf(outputs.y) }),
  samples: (random) =>
    shapes.map((shape) => ({ name: shape.join("x"), inputs: { x: normals(random, shape) }, attributes: {} }))
})

/** Puts row [C] before the rows of every item of x [T, N, C] -> [T, N+1, C]. */
export const prependRow = (x: Tensor, row: Tensor): Tensor => apply(prependRowKernel, { x, row }, {}).y

/** Every item of x [T, N, C] without its first row -> [T, N-1, C]. */
export const dropFirstRow = (x: Tensor): Tensor => apply(dropFirstRowKernel, { x }, {}).y
