/** y = a + b, of one shape: the residual stream. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { elementwiseShapes, normals } from "../samples.ts"
import { expectSame } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const addKernel = defineKernel<"a" | "b", "y", object>({
  name: "add",
  inputs: { a: { dtypes: ["f32"] }, b: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ a, b }) => {
    expectSame("add", "b", b, "a", a)
    return { y: { shape: a } }
  },
  gradient: { saves: {}, backward: ({ cotangents: { y } }) => ({ a: y, b: y }) },
  reference,
  gpujs,
  native,
  cost: ({ outputs }) => ({ flops: sizeOf(outputs.y), bytes: 12 * sizeOf(outputs.y) }),
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { a: normals(random, shape), b: normals(random, shape) },
      attributes: {}
    }))
})

/** a + b, elementwise; both of one shape. */
export const add = (a: Tensor, b: Tensor): Tensor => apply(addKernel, { a, b }, {}).y
