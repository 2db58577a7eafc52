/**
 * One step of AdaRound (arXiv:2004.10568 eq. 21-25) in place, from the gradient dy of any loss of the soft weights:
 *
 *   rounding = lambda sum of 1 - |2 h(alpha) - 1|^exponent, accumulated in double precision; 0 where every h is 0 or 1
 *   alpha, m, v = adamStep, without decay, with the gradient of dy . adaroundWeight(alpha) + rounding
 *
 * alpha, m, v, dy and weight [N, K], scale and zero (whole numbers) [N, K / g] -> rounding [1], that before the step.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { checkAdam } from "../adamStep/geometry.ts"
import { checkAdaround } from "../adaroundWeight/geometry.ts"
import { roundingCases, roundingOperands } from "../adaroundWeight/samples.ts"
import { normals, uniforms } from "../operands/samples.ts"
import { expectAtLeast, expectSame } from "../operands/shapeRules.ts"
import type { AdaroundStepAttributes } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"
import { webgpu } from "./webgpu.ts"

export type { AdaroundStepAttributes } from "./geometry.ts"

type Operands = "alpha" | "m" | "v" | "dy" | "weight" | "scale" | "zero"

/** Warm-up, and the exponent's way down. */
const penalties = [
  { lambda: 0, exponent: 20 },
  { lambda: 0.5, exponent: 20 },
  { lambda: 0.1, exponent: 3.5 },
  { lambda: 0.01, exponent: 2 }
]

const adam = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 17 }

export const adaroundStepKernel = defineKernel<Operands, "rounding", AdaroundStepAttributes>({
  name: "adaroundStep",
  inputs: {
    alpha: { dtypes: ["f32"], updated: true },
    m: { dtypes: ["f32"], updated: true },
    v: { dtypes: ["f32"], updated: true },
    dy: { dtypes: ["f32"] },
    weight: { dtypes: ["f32"] },
    scale: { dtypes: ["f32"] },
    zero: { dtypes: ["f32"] }
  },
  outputs: ["rounding"],
  infer: (shapes, attributes) => {
    checkAdaround("adaroundStep", shapes, attributes)
    for (const name of ["m", "v", "dy"] as const)
      expectSame("adaroundStep", name, shapes[name], "weight", shapes.weight)
    expectAtLeast("adaroundStep", "lambda", attributes.lambda, 0)
    expectAtLeast("adaroundStep", "exponent", attributes.exponent, 1)
    checkAdam("adaroundStep", attributes)
    return { rounding: { shape: [1] } }
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs }) => ({ flops: 70 * sizeOf(inputs.alpha), bytes: 32 * sizeOf(inputs.alpha) }),
  samples: (random) =>
    roundingCases.flatMap((at) =>
      penalties.map(({ lambda, exponent }) => {
        const { alpha, ...grid } = roundingOperands(random, at)
        const m = normals(random, at.shape, 0.1)
        const v = uniforms(random, at.shape, 0.01, 0.1)
        return {
          name: `${at.name} lambda ${lambda} exponent ${exponent}`,
          inputs: { alpha, m, v, dy: normals(random, at.shape), ...grid },
          attributes: { ...adam, bits: at.bits, group: at.group, lambda, exponent }
        }
      })
    )
})

/** Updates alpha, m and v in place; returns the rounding penalty before the step, [1]. */
export const adaroundStep = (
  operands: { readonly [K in Operands]: Tensor },
  attributes: AdaroundStepAttributes
): Tensor => apply(adaroundStepKernel, operands, attributes).rounding
