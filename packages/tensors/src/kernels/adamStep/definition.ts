/**
 * One step of Adam or AdamW on one parameter, in place (arXiv:1412.6980, 1711.05101), in the order of PyTorch:
 * g = factor gradient; AdamW: p *= 1 - lr wd, Adam: g += wd p;
 * m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon).
 * A negative factor leaves all as it is (clipFactor.ts).
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

const kinds = [
  { name: "AdamW, clipped", decoupled: true, factor: 0.375 },
  { name: "AdamW, held", decoupled: true, factor: -1 },
  { name: "Adam", decoupled: false, factor: undefined }
]

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
      kinds.map(({ name, decoupled, factor }) => ({
        name: `${shape.join("x")} ${name}`,
        inputs: {
          parameter: normals(random, shape),
          m: normals(random, shape, 0.1),
          v: uniforms(random, shape, 0, 0.1),
          gradient: normals(random, shape),
          ...(factor === undefined ? {} : { factor: { shape: [1], values: [factor] } })
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

/** One step on `parameter` with moments `m` and `v`, all updated in place; `factor` [1] scales the gradient first, a negative one takes none. */
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
