/** total += sum of x^2, accumulated in double precision: the norm of all gradients, one tensor after the other. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { elementwiseShapes, normals, uniforms } from "../samples.ts"
import { expectShape } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const sumSquaresIntoKernel = defineKernel<"x" | "total", never, object>({
  name: "sumSquaresInto",
  inputs: { x: { dtypes: ["f32"] }, total: { dtypes: ["f32"], updated: true } },
  outputs: [],
  infer: ({ total }) => {
    expectShape("sumSquaresInto", "total", total, [1])
    return {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 2 * sizeOf(inputs.x), bytes: 4 * sizeOf(inputs.x) }),
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { x: normals(random, shape), total: uniforms(random, [1], 0, 10) },
      attributes: {}
    }))
})

/** Adds the sum of squares of `x` to `total` [1] in place. */
export const sumSquaresInto = (total: Tensor, x: Tensor): void => {
  apply(sumSquaresIntoKernel, { x, total }, {})
}
