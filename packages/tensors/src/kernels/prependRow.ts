/**
 * prependRow: y[t] = row, then x[t]: the class token before the patches. x [T, N, C], row [C] -> [T, N+1, C].
 * dropFirstRow: x[t] without its first row, [T, N, C] -> [T, N-1, C]. The gradient of each uses the other.
 */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { type NativeBody, reading, shared, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { ShapeMismatch } from "../core/Errors.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { reshape } from "../core/reshape.ts"
import { type Shape, sizeOf } from "../core/Shape.ts"
import { type Tensor, tensor, zeros } from "../core/Tensor.ts"
import { columnSums } from "./addBroadcast.ts"
import { gatherRows } from "./gatherRows/definition.ts"
import { normals } from "./operands/samples.ts"
import { expectAxes, expectShape } from "./operands/shapeRules.ts"

/** y[t, 0] = row, y[t, n + 1] = x[t, n] */
const referencePrepend = (
  { x, row }: Arrays<"x" | "row">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"x" | "row", "y">
): void => {
  const [tiles, count, columns] = inputs.x as readonly [number, number, number]
  for (let t = 0; t < tiles; t++) {
    const start = t * (count + 1) * columns
    y.set(row, start)
    y.set(x.subarray(t * count * columns, (t + 1) * count * columns), start + columns)
  }
}

/** y[t, n] = x[t, n + 1] */
const referenceDropFirst = ({ x }: Arrays<"x">, { y }: Arrays<"y">, { inputs }: Geometry<"x", "y">): void => {
  const [tiles, count, columns] = inputs.x as readonly [number, number, number]
  for (let t = 0; t < tiles; t++) {
    y.set(x.subarray((t * count + 1) * columns, (t + 1) * count * columns), t * (count - 1) * columns)
  }
}

function prepended(this: Thread, x: Values, row: Values) {
  if (this.thread.y === 0) {
    return row[this.thread.x]
  }
  return x[(this.thread.z * this.constants.count + this.thread.y - 1) * this.constants.columns + this.thread.x]
}

function dropped(this: Thread, x: Values) {
  return x[(this.thread.z * this.constants.count + this.thread.y + 1) * this.constants.columns + this.thread.x]
}

const gpujsPrepend: GpujsBody<"x" | "row", "y"> = {
  programs: ({ inputs }) => {
    const [tiles, count, columns] = inputs.x as readonly [number, number, number]
    const constants = { count, columns }
    return [{ output: "y", compute: prepended, reads: ["x", "row"], constants, extent: [columns, count + 1, tiles] }]
  }
}

const gpujsDropFirst: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => {
    const [tiles, count, columns] = inputs.x as readonly [number, number, number]
    const constants = { count, columns }
    return [{ output: "y", compute: dropped, reads: ["x"], constants, extent: [columns, count - 1, tiles] }]
  }
}

const nativePrepend: NativeBody<"x" | "row", "y"> = (engine, { inputs: { x, row }, outputs: { y } }) => {
  const [tiles, count, columns] = x.shape as readonly [number, number, number]
  const [bytes, rowBytes] = [4 * count * columns, 4 * columns]
  const operands = [reading(x, bytes), shared(row), writing(y, bytes + rowBytes)]
  engine.rows({ entry: "prependRow", rows: tiles, operands, scalars: [bytes, rowBytes] })
}

const nativeDropFirst: NativeBody<"x", "y"> = (engine, { inputs: { x }, outputs: { y } }) => {
  const [tiles, count, columns] = x.shape as readonly [number, number, number]
  const [all, kept] = [4 * count * columns, 4 * (count - 1) * columns]
  const operands = [reading(x, all), writing(y, kept)]
  engine.rows({ entry: "copyColumns", rows: tiles, operands, scalars: [all, kept, 4 * columns, 0, kept] })
}

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
