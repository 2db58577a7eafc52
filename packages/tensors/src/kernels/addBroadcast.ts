/**
 * addBroadcast: y[t] = a[t] + b for every t, a [T, ...rest], b [...rest]: position embeddings, spreading a row over rows.
 * columnSums: y[c] = sum over rows of x[r, c]: the gradient of a bias. Each is the other's gradient.
 */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { type NativeBody, reading, rowSums, shared, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { ShapeMismatch } from "../core/Errors.ts"
import { defineKernel } from "../core/Kernel.ts"
import { reshape } from "../core/reshape.ts"
import { asMatrix, formatShape, sameShape, sizeOf } from "../core/Shape.ts"
import { type Tensor, zeros } from "../core/Tensor.ts"
import { normals, rowShapes } from "./operands/samples.ts"
import { expectRank } from "./operands/shapeRules.ts"

/** y[t, i] = a[t, i] + b[i] */
const reference = ({ a, b }: Arrays<"a" | "b">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = a[i]! + b[i % b.length]!
}

/** y[c] = sum over r of x[r, c], rows in order */
const referenceColumnSums = ({ x }: Arrays<"x">, { y }: Arrays<"y">): void => {
  y.fill(0)
  for (let i = 0; i < x.length; i++) y[i % y.length]! += x[i]!
}

function sum(this: Thread, a: Values, b: Values) {
  return a[this.thread.y * this.constants.rest + this.thread.x] + b[this.thread.x]
}

/** Rows in order, in chunks, so that the error of f32 does not grow with all of them. */
function columnSum(this: Thread, x: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.chunks; i++) {
    let part = 0
    for (let j = 0; j < 64; j++) {
      if (i * 64 + j < this.constants.rows) {
        part += x[(i * 64 + j) * this.constants.columns + this.thread.x]
      }
    }
    sum += part
  }
  return sum
}

const gpujs: GpujsBody<"a" | "b", "y"> = {
  programs: ({ inputs }) => {
    const rest = sizeOf(inputs.b)
    return [{ output: "y", compute: sum, reads: ["a", "b"], constants: { rest }, extent: [rest, inputs.a[0]!] }]
  }
}

const gpujsColumnSums: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    const chunks = Math.ceil(rows / 64)
    return [
      {
        output: "y",
        compute: columnSum,
        reads: ["x"],
        constants: { columns },
        sizes: { rows, chunks },
        extent: [columns]
      }
    ]
  }
}

const native: NativeBody<"a" | "b", "y"> = (engine, { inputs: { a, b }, outputs: { y } }) => {
  const columns = sizeOf(b.shape)
  const operands = [reading(a, 4 * columns), shared(b), writing(y, 4 * columns)]
  engine.rows({ entry: "addRow", rows: a.shape[0]!, operands, scalars: [columns] })
}

const nativeColumnSums: NativeBody<"x", "y"> = (engine, { inputs: { x }, outputs: { y } }) => {
  const { rows, columns } = asMatrix(x.shape)
  engine.rows({
    entry: "columnSums",
    rows,
    operands: [reading(x, 4 * columns)],
    partials: [rowSums(y, columns)],
    scalars: [columns]
  })
}

export const addBroadcastKernel = defineKernel<"a" | "b", "y", object>({
  name: "addBroadcast",
  inputs: { a: { dtypes: ["f32"] }, b: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ a, b }) => {
    expectRank("addBroadcast", "a", a, 1)
    if (!sameShape(a.slice(1), b)) {
      throw new ShapeMismatch("addBroadcast", "b", `${formatShape(a.slice(1))}, an item of "a" ${formatShape(a)}`, b)
    }
    return { y: { shape: a } }
  },
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, wanted, shapes: { inputs } }) => {
      if (!dy) return {}
      const summed = () => reshape(columnSums(reshape(dy, [inputs.a[0]!, sizeOf(inputs.b)])), inputs.b)
      return { a: dy, b: wanted.b ? summed() : undefined }
    }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.a), bytes: 8 * sizeOf(inputs.a) + 4 * sizeOf(inputs.b) }),
  samples: (random) =>
    [
      [1, 1],
      [3, 17],
      [2, 5, 3],
      [0, 4],
      [5, 1],
      [4, 1025],
      [35, 3, 67]
    ].map((shape) => ({
      name: shape.join("x"),
      inputs: { a: normals(random, shape), b: normals(random, shape.slice(1)) },
      attributes: {}
    }))
})

export const columnSumsKernel = defineKernel<"x", "y", object>({
  name: "columnSums",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => {
    expectRank("columnSums", "x", x, 1)
    return { y: { shape: x.slice(-1) } }
  },
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, shapes: { inputs } }) => {
      if (!dy) return {}
      const { rows, columns } = asMatrix(inputs.x)
      return { x: reshape(addBroadcast(zeros(dy.backend, [rows, columns]), dy), inputs.x) }
    }
  },
  reference: referenceColumnSums,
  native: nativeColumnSums,
  gpujs: gpujsColumnSums,
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.x), bytes: 4 * sizeOf(inputs.x) }),
  samples: (random) =>
    rowShapes.map((shape) => ({ name: shape.join("x"), inputs: { x: normals(random, shape) }, attributes: {} })),
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** Adds b [...rest] to every item of a [T, ...rest]. */
export const addBroadcast = (a: Tensor, b: Tensor): Tensor => apply(addBroadcastKernel, { a, b }, {}).y

/** Sums over all axes but the last: [..., C] -> [C]. */
export const columnSums = (x: Tensor): Tensor => apply(columnSumsKernel, { x }, {}).y
