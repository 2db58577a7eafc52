/**
 * One step of Adam or AdamW on one parameter, in place (arXiv:1412.6980, 1711.05101), in the order of PyTorch:
 * g = factor gradient; AdamW: p *= 1 - lr wd, Adam: g += wd p;
 * m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon).
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { elementwiseShapes, normals, uniforms } from "../operands/samples.ts"
import { expectAtLeast, expectSame, expectShape } from "../operands/shapeRules.ts"
import { type AdamStepAttributes, checkAdam } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"
import { webgpu } from "./webgpu.ts"

export type { AdamStepAttributes } from "./geometry.ts"

export const adamStepKernel = defineKernel<"parameter" | "m" | "v" | "gradient" | "factor", never, AdamStepAttributes>({
  name: "adamStep",
  inputs: {
    parameter: { dtypes: ["f32"], updated: true },
    m: { dtypes: ["f32"], updated: true },
    v: { dtypes: ["f32"], updated: true },
    gradient: { dtypes: ["f32"] },
    factor: { dtypes: ["f32"], optional: true }
  },
  outputs: [],
  infer: ({ parameter, m, v, gradient, factor }, attributes) => {
    expectSame("adamStep", "m", m, "parameter", parameter)
    expectSame("adamStep", "v", v, "parameter", parameter)
    expectSame("adamStep", "gradient", gradient, "parameter", parameter)
    if (factor !== undefined) expectShape("adamStep", "factor", factor, [1])
    checkAdam("adamStep", attributes)
    expectAtLeast("adamStep", "weightDecay", attributes.weightDecay, 0)
    return {}
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs }) => ({ flops: 16 * sizeOf(inputs.parameter), bytes: 28 * sizeOf(inputs.parameter) }),
  samples: (random) =>
    elementwiseShapes.flatMap((shape) =>
      [true, false].map((decoupled) => ({
        name: `${shape.join("x")} ${decoupled ? "AdamW, clipped" : "Adam"}`,
        inputs: {
          parameter: normals(random, shape),
          m: normals(random, shape, 0.1),
          v: uniforms(random, shape, 0, 0.1),
          gradient: normals(random, shape),
          ...(decoupled ? { factor: uniforms(random, [1], 0.1, 1) } : {})
        },
        attributes: {
          learningRate: 0.01,
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-8,
          weightDecay: 0.01,
          decoupled,
          step: decoupled ? 1 : 17
        }
      }))
    )
})

/** One step on `parameter` with moments `m` and `v`, all updated in place; `factor` [1] scales the gradient first. */
export const adamStep = (
  operands: {
    readonly parameter: Tensor
    readonly m: Tensor
    readonly v: Tensor
    readonly gradient: Tensor
    readonly factor?: Tensor | undefined
  },
  attributes: AdamStepAttributes
): void => {
  apply(adamStepKernel, operands, attributes)
}
