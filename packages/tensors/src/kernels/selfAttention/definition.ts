/**
 * Attention of tokens to each other, every token to all: y = softmax(scale q k^T) v, with q, k and v as one Linear gives them, side by
 * side: qkv [B, T, 3, H, D] -> y [B, T, H, D]; logSumExp [B, H, T] is kept for the gradient. The numbers are those of `attention` of the
 * three parts; natively they are read, and their gradients written, where they lie.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { expectShape } from "../operands/shapeRules.ts"
import { partShape, type SelfAttentionAttributes, selfAttentionSize } from "./geometry.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"
import { gradientSamples, samples } from "./samples.ts"
import { webgpu, webgpuGradient } from "./webgpu.ts"

export const selfAttentionKernel = defineKernel<"qkv", "y" | "logSumExp", SelfAttentionAttributes>({
  name: "selfAttention",
  inputs: { qkv: { dtypes: ["f32"] } },
  outputs: ["y", "logSumExp"],
  infer: ({ qkv }, attributes) => {
    const size = selfAttentionSize("selfAttention", qkv, attributes)
    return { y: { shape: partShape(size) }, logSumExp: { shape: [size.batch, size.heads, size.queries] } }
  },
  gradient: {
    saves: { inputs: ["qkv"], outputs: ["y", "logSumExp"] },
    auxiliary: ["logSumExp"],
    backward: ({ saved: { qkv, y, logSumExp }, cotangents: { y: dy }, attributes }) => ({
      qkv: apply(selfAttentionGradientKernel, { qkv, y, logSumExp, dy }, attributes).dqkv
    })
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs: { qkv }, outputs: { y } }) => ({
    flops: 4 * sizeOf(y) * qkv[1]!,
    bytes: 4 * (sizeOf(qkv) + sizeOf(y))
  }),
  samples,
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

export const selfAttentionGradientKernel = defineKernel<
  "qkv" | "y" | "logSumExp" | "dy",
  "dqkv",
  SelfAttentionAttributes
>({
  name: "selfAttentionGradient",
  inputs: {
    qkv: { dtypes: ["f32"] },
    y: { dtypes: ["f32"] },
    logSumExp: { dtypes: ["f32"] },
    dy: { dtypes: ["f32"] }
  },
  outputs: ["dqkv"],
  infer: ({ qkv, y, dy, logSumExp }, attributes) => {
    const size = selfAttentionSize("selfAttentionGradient", qkv, attributes)
    expectShape("selfAttentionGradient", "y", y, partShape(size))
    expectShape("selfAttentionGradient", "dy", dy, partShape(size))
    expectShape("selfAttentionGradient", "logSumExp", logSumExp, [size.batch, size.heads, size.queries])
    return { dqkv: { shape: qkv } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  webgpu: webgpuGradient,
  cost: ({ inputs: { qkv, y } }) => ({
    flops: 10 * sizeOf(y) * qkv[1]!,
    bytes: 4 * (2 * sizeOf(qkv) + 3 * sizeOf(y))
  }),
  samples: gradientSamples,
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** Attention of qkv [B, T, 3, H, D], every token to all -> [B, T, H, D]; `scale` is 1 / sqrt(D) when absent. Raises ShapeMismatch. */
export const selfAttention = (
  qkv: Tensor,
  { scale = 1 / Math.sqrt(qkv.shape.at(-1) ?? 1) }: Partial<SelfAttentionAttributes> = {}
): Tensor => apply(selfAttentionKernel, { qkv }, { scale }).y
