/** y[c, r] = x[r, c]: for small matrices; products transpose their operands for free. */
import { apply } from "../../apply.ts"
import { ShapeMismatch } from "../../Errors.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { normals } from "../samples.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const transposeKernel = defineKernel<"x", "y", object>({
  name: "transpose",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => {
    if (x.length !== 2) throw new ShapeMismatch("transpose", "x", "two axes", x)
    return { y: { shape: [x[1]!, x[0]!] } }
  },
  gradient: { saves: {}, backward: ({ cotangents: { y } }) => (y ? { x: transpose(y) } : {}) },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 0, bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    [
      [1, 1],
      [3, 17],
      [33, 8],
      [67, 131],
      [0, 5]
    ].map((shape) => ({ name: shape.join("x"), inputs: { x: normals(random, shape) }, attributes: {} })),
  tolerance: { relative: 0, absolute: 0 }
})

/** The transpose of a matrix: [R, C] -> [C, R]. */
export const transpose = (x: Tensor): Tensor => apply(transposeKernel, { x }, {}).y
