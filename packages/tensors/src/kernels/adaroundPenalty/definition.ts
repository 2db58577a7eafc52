/**
 * AdaRound's rounding penalty (arXiv:2004.10568 eq. 24): loss = lambda sum of 1 - |2 h(alpha) - 1|^beta, accumulated in
 * double precision: alpha [...] -> [1]. It is 0 where every h is 0 or 1.
 */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { elementwiseShapes, normals } from "../samples.ts"
import { expectAtLeast, expectShape } from "../shapeRules.ts"
import type { AdaroundPenaltyAttributes } from "./geometry.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"

export type { AdaroundPenaltyAttributes } from "./geometry.ts"

const betas = [2, 3.5, 20]

const check = (kernel: string, { lambda, beta }: AdaroundPenaltyAttributes): void => {
  expectAtLeast(kernel, "lambda", lambda, 0)
  expectAtLeast(kernel, "beta", beta, 1)
}

export const adaroundPenaltyKernel = defineKernel<"alpha", "loss", AdaroundPenaltyAttributes>({
  name: "adaroundPenalty",
  inputs: { alpha: { dtypes: ["f32"] } },
  outputs: ["loss"],
  infer: (_shapes, attributes) => {
    check("adaroundPenalty", attributes)
    return { loss: { shape: [1] } }
  },
  gradient: {
    saves: { inputs: ["alpha"] },
    backward: ({ saved: { alpha }, cotangents: { loss: dloss }, attributes }) => ({
      alpha: apply(adaroundPenaltyGradientKernel, { alpha, dloss }, attributes).dalpha
    })
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 40 * sizeOf(inputs.alpha), bytes: 4 * sizeOf(inputs.alpha) }),
  samples: (random) =>
    elementwiseShapes.flatMap((shape) =>
      betas.map((beta) => ({
        name: `${shape.join("x")} beta ${beta}`,
        inputs: { alpha: normals(random, shape, 1.5) },
        attributes: { lambda: 0.01, beta }
      }))
    )
})

export const adaroundPenaltyGradientKernel = defineKernel<"alpha" | "dloss", "dalpha", AdaroundPenaltyAttributes>({
  name: "adaroundPenaltyGradient",
  inputs: { alpha: { dtypes: ["f32"] }, dloss: { dtypes: ["f32"] } },
  outputs: ["dalpha"],
  infer: ({ alpha, dloss }, attributes) => {
    check("adaroundPenaltyGradient", attributes)
    expectShape("adaroundPenaltyGradient", "dloss", dloss, [1])
    return { dalpha: { shape: alpha } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  cost: ({ inputs }) => ({ flops: 50 * sizeOf(inputs.alpha), bytes: 8 * sizeOf(inputs.alpha) }),
  samples: (random) =>
    elementwiseShapes.flatMap((shape) =>
      betas.map((beta) => ({
        name: `${shape.join("x")} beta ${beta}`,
        inputs: { alpha: normals(random, shape, 1.5), dloss: normals(random, [1]) },
        attributes: { lambda: 0.01, beta }
      }))
    )
})

/** lambda sum of 1 - |2 h(alpha) - 1|^beta -> [1]. */
export const adaroundPenalty = (alpha: Tensor, attributes: AdaroundPenaltyAttributes): Tensor =>
  apply(adaroundPenaltyKernel, { alpha }, attributes).loss
