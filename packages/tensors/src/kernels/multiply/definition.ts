/** y = a b, elementwise, of one shape. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { elementwiseShapes, normals } from "../samples.ts"
import { expectSame } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const multiplyKernel = defineKernel<"a" | "b", "y", object>({
  name: "multiply",
  inputs: { a: { dtypes: ["f32"] }, b: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ a, b }) => {
    expectSame("multiply", "b", b, "a", a)
    return { y: { shape: a } }
  },
  gradient: {
    saves: ({ a, b }) => ({ inputs: [...(b ? (["a"] as const) : []), ...(a ? (["b"] as const) : [])] }),
    backward: ({ saved: { a, b }, cotangents: { y: dy }, wanted }) => ({
      a: wanted.a && dy && b ? multiply(dy, b) : undefined,
      b: wanted.b && dy && a ? multiply(dy, a) : undefined
    })
  },
  reference,
  native,
  gpujs,
  cost: ({ outputs }) => ({ flops: sizeOf(outputs.y), bytes: 12 * sizeOf(outputs.y) }),
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { a: normals(random, shape), b: normals(random, shape) },
      attributes: {}
    }))
})

/** a b, elementwise; both of one shape. */
export const multiply = (a: Tensor, b: Tensor): Tensor => apply(multiplyKernel, { a, b }, {}).y
