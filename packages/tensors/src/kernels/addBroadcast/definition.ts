/**
 * addBroadcast: y[t] = a[t] + b for every t, a [T, ...rest], b [...rest]: position embeddings, spreading a row over rows.
 * columnSums: y[c] = sum over rows of x[r, c]: the gradient of a bias. Each is the other's gradient.
 */
import { apply } from "../../apply.ts"
import { ShapeMismatch } from "../../Errors.ts"
import { defineKernel } from "../../Kernel.ts"
import { reshape } from "../../reshape.ts"
import { asMatrix, formatShape, sameShape, sizeOf } from "../../Shape.ts"
import { type Tensor, zeros } from "../../Tensor.ts"
import { normals, rowShapes } from "../samples.ts"
import { expectRank } from "../shapeRules.ts"
import { gpujs, gpujsColumnSums } from "./gpujs.ts"
import { native, nativeColumnSums } from "./native.ts"
import { reference, referenceColumnSums } from "./reference.ts"

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
