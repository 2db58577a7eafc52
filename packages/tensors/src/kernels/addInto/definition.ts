/** target += x, in place: gradient accumulation. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { elementwiseShapes, normals } from "../samples.ts"
import { expectSame } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const addIntoKernel = defineKernel<"target" | "x", never, object>({
  name: "addInto",
  inputs: { target: { dtypes: ["f32"], updated: true }, x: { dtypes: ["f32"] } },
  outputs: [],
  infer: ({ target, x }) => {
    expectSame("addInto", "x", x, "target", target)
    return {}
  },
  reference,
  gpujs,
  native,
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.x), bytes: 12 * sizeOf(inputs.x) }),
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { target: normals(random, shape), x: normals(random, shape) },
      attributes: {}
    }))
})

/** Adds `x` to `target` in place; both of one shape. */
export const addInto = (target: Tensor, x: Tensor): void => {
  apply(addIntoKernel, { target, x }, {})
}
