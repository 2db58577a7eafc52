/**
 * AdaRound's weight (arXiv:2004.10568 eq. 21-23): y = scale (clamp(floor(w / scale) + h(alpha) + zero, 0, 2^b - 1) - zero),
 * h(alpha) = clamp((zeta - gamma) sigmoid(alpha) + gamma, 0, 1), zeta 1.1 and gamma -0.1. weight and alpha [N, K], scale and zero [N, K / g] -> y [N, K].
 * Only alpha has a gradient; `hard` decides for up where alpha >= 0.
 */
import { apply } from "../../core/apply.ts"
import { NotDifferentiable } from "../../core/Errors.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { normals } from "../operands/samples.ts"
import { expectSame } from "../operands/shapeRules.ts"
import { type AdaroundWeightAttributes, checkAdaround } from "./geometry.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"
import { roundingCases, roundingOperands } from "./samples.ts"

export type { AdaroundWeightAttributes } from "./geometry.ts"

export const adaroundWeightKernel = defineKernel<"weight" | "scale" | "zero" | "alpha", "y", AdaroundWeightAttributes>({
  name: "adaroundWeight",
  inputs: {
    weight: { dtypes: ["f32"], constant: true },
    scale: { dtypes: ["f32"], constant: true },
    zero: { dtypes: ["f32"], constant: true },
    alpha: { dtypes: ["f32"] }
  },
  outputs: ["y"],
  infer: (shapes, attributes) => {
    checkAdaround("adaroundWeight", shapes, attributes)
    return { y: { shape: shapes.weight } }
  },
  gradient: {
    saves: { inputs: ["weight", "scale", "zero", "alpha"] },
    backward: ({ saved: { weight, scale, zero, alpha }, cotangents: { y: dy }, attributes }) => {
      if (attributes.hard)
        throw new NotDifferentiable("adaroundWeight", "hard rounding has no gradient; use hard: false")
      return { alpha: apply(adaroundWeightGradientKernel, { dy, weight, scale, zero, alpha }, attributes).dalpha }
    }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 16 * sizeOf(inputs.weight), bytes: 12 * sizeOf(inputs.weight) }),
  samples: (random) =>
    roundingCases.flatMap((at) =>
      [false, true].map((hard) => ({
        name: `${at.name}${hard ? " hard" : ""}`,
        inputs: roundingOperands(random, at),
        attributes: { bits: at.bits, group: at.group, hard },
        differentiable: !hard
      }))
    )
})

export const adaroundWeightGradientKernel = defineKernel<
  "dy" | "weight" | "scale" | "zero" | "alpha",
  "dalpha",
  AdaroundWeightAttributes
>({
  name: "adaroundWeightGradient",
  inputs: {
    dy: { dtypes: ["f32"] },
    weight: { dtypes: ["f32"] },
    scale: { dtypes: ["f32"] },
    zero: { dtypes: ["f32"] },
    alpha: { dtypes: ["f32"] }
  },
  outputs: ["dalpha"],
  infer: (shapes, attributes) => {
    checkAdaround("adaroundWeightGradient", shapes, attributes)
    expectSame("adaroundWeightGradient", "dy", shapes.dy, "weight", shapes.weight)
    return { dalpha: { shape: shapes.weight } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  cost: ({ inputs }) => ({ flops: 20 * sizeOf(inputs.weight), bytes: 16 * sizeOf(inputs.weight) }),
  samples: (random) =>
    roundingCases.map((at) => ({
      name: at.name,
      inputs: { dy: normals(random, at.shape), ...roundingOperands(random, at) },
      attributes: { bits: at.bits, group: at.group, hard: false }
    }))
})

/** AdaRound's quantized weight [N, K] from weight and alpha [N, K], scale and zero [N, K / g]; differentiable by alpha. */
export const adaroundWeight = (
  operands: { readonly weight: Tensor; readonly scale: Tensor; readonly zero: Tensor; readonly alpha: Tensor },
  attributes: AdaroundWeightAttributes
): Tensor => apply(adaroundWeightKernel, operands, attributes).y
