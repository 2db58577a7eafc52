/**
 * loss = factor sum of weight (a - b)^2, accumulated in double precision: a, b and weight of one shape -> [1].
 * The reconstruction loss of AdaRound, weighted for Fisher information. The weight is a constant.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { elementwiseShapes, normals, uniforms } from "../operands/samples.ts"
import { expectSame, expectShape } from "../operands/shapeRules.ts"
import { scale } from "../scale.ts"
import type { SquaredErrorAttributes } from "./geometry.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"

export const squaredErrorKernel = defineKernel<"a" | "b" | "weight", "loss", SquaredErrorAttributes>({
  name: "squaredError",
  inputs: {
    a: { dtypes: ["f32"] },
    b: { dtypes: ["f32"] },
    weight: { dtypes: ["f32"], optional: true, constant: true }
  },
  outputs: ["loss"],
  infer: ({ a, b, weight }) => {
    expectSame("squaredError", "b", b, "a", a)
    if (weight !== undefined) expectSame("squaredError", "weight", weight, "a", a)
    return { loss: { shape: [1] } }
  },
  gradient: {
    saves: { inputs: ["a", "b", "weight"] },
    backward: ({ saved: { a, b, weight }, cotangents: { loss: dloss }, wanted, attributes }) => {
      const { da } = apply(squaredErrorGradientKernel, { a, b, weight, dloss }, attributes)
      return { a: wanted.a ? da : undefined, b: wanted.b ? scale(da, -1) : undefined }
    }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 3 * sizeOf(inputs.a), bytes: 8 * sizeOf(inputs.a) }),
  samples: (random) =>
    elementwiseShapes.flatMap((shape) => {
      const inputs = () => ({ a: normals(random, shape), b: normals(random, shape) })
      const name = shape.join("x")
      const attributes = { factor: 0.75 }
      return [
        { name, inputs: inputs(), attributes },
        { name: `${name} weighted`, inputs: { ...inputs(), weight: uniforms(random, shape, 0, 4) }, attributes }
      ]
    })
})

export const squaredErrorGradientKernel = defineKernel<"a" | "b" | "weight" | "dloss", "da", SquaredErrorAttributes>({
  name: "squaredErrorGradient",
  inputs: {
    a: { dtypes: ["f32"] },
    b: { dtypes: ["f32"] },
    weight: { dtypes: ["f32"], optional: true },
    dloss: { dtypes: ["f32"] }
  },
  outputs: ["da"],
  infer: ({ a, b, weight, dloss }) => {
    expectSame("squaredErrorGradient", "b", b, "a", a)
    if (weight !== undefined) expectSame("squaredErrorGradient", "weight", weight, "a", a)
    expectShape("squaredErrorGradient", "dloss", dloss, [1])
    return { da: { shape: a } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  cost: ({ inputs }) => ({ flops: 3 * sizeOf(inputs.a), bytes: 12 * sizeOf(inputs.a) }),
  samples: (random) =>
    elementwiseShapes.flatMap((shape) => {
      const inputs = () => ({ a: normals(random, shape), b: normals(random, shape), dloss: normals(random, [1]) })
      const name = shape.join("x")
      const attributes = { factor: 0.75 }
      return [
        { name, inputs: inputs(), attributes },
        { name: `${name} weighted`, inputs: { ...inputs(), weight: uniforms(random, shape, 0, 4) }, attributes }
      ]
    })
})

/** factor sum of weight (a - b)^2 -> [1]; all of one shape, `weight` optional and constant. */
export const squaredError = (a: Tensor, b: Tensor, factor: number, weight?: Tensor): Tensor =>
  apply(squaredErrorKernel, { a, b, weight }, { factor }).loss
