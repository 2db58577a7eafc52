/**
 * Attention, grouped-query: y = softmax(scale q k^T) v, softmax over the keys that a query sees.
 * q [B, T, H, D], k and v [B, S, G, D], keyMask i32 [B, S] (0 = never seen) -> y [B, T, H, D]; logSumExp [B, H, T] is kept
 * for the gradient. Head h uses key-value head floor(h G / H). A query that sees no key gets y = 0.
 * Equal to products, softmax and products, but no T x S matrix is stored (arXiv 2205.14135).
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { expectSame, expectShape } from "../operands/shapeRules.ts"
import { type AttentionAttributes, attentionSize } from "./geometry.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"
import { gradientSamples, samples } from "./samples.ts"
import { webgpu, webgpuGradient } from "./webgpu.ts"

type Operands = "q" | "k" | "v" | "keyMask"

export const attentionKernel = defineKernel<Operands, "y" | "logSumExp", AttentionAttributes>({
  name: "attention",
  inputs: {
    q: { dtypes: ["f32"] },
    k: { dtypes: ["f32"] },
    v: { dtypes: ["f32"] },
    keyMask: { dtypes: ["i32"], optional: true }
  },
  outputs: ["y", "logSumExp"],
  infer: (shapes, attributes) => {
    const { batch, heads, queries } = attentionSize("attention", shapes, attributes)
    return { y: { shape: shapes.q }, logSumExp: { shape: [batch, heads, queries] } }
  },
  gradient: {
    saves: { inputs: ["q", "k", "v", "keyMask"], outputs: ["y", "logSumExp"] },
    auxiliary: ["logSumExp"],
    backward: ({ saved: { q, k, v, keyMask, y, logSumExp }, cotangents: { y: dy }, attributes }) => {
      const { dq, dk, dv } = apply(attentionGradientKernel, { q, k, v, y, logSumExp, dy, keyMask }, attributes)
      return { q: dq, k: dk, v: dv }
    }
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs: { q, k }, outputs: { y } }) => ({
    flops: 4 * sizeOf(q) * k[1]!,
    bytes: 4 * (sizeOf(q) + 2 * sizeOf(k) + sizeOf(y))
  }),
  samples,
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

export const attentionGradientKernel = defineKernel<
  Operands | "y" | "logSumExp" | "dy",
  "dq" | "dk" | "dv",
  AttentionAttributes
>({
  name: "attentionGradient",
  inputs: {
    q: { dtypes: ["f32"] },
    k: { dtypes: ["f32"] },
    v: { dtypes: ["f32"] },
    y: { dtypes: ["f32"] },
    logSumExp: { dtypes: ["f32"] },
    dy: { dtypes: ["f32"] },
    keyMask: { dtypes: ["i32"], optional: true }
  },
  outputs: ["dq", "dk", "dv"],
  infer: (shapes, attributes) => {
    const { batch, heads, queries } = attentionSize("attentionGradient", shapes, attributes)
    expectSame("attentionGradient", "y", shapes.y, "q", shapes.q)
    expectSame("attentionGradient", "dy", shapes.dy, "q", shapes.q)
    expectShape("attentionGradient", "logSumExp", shapes.logSumExp, [batch, heads, queries])
    return { dq: { shape: shapes.q }, dk: { shape: shapes.k }, dv: { shape: shapes.v } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  webgpu: webgpuGradient,
  cost: ({ inputs: { q, k } }) => ({ flops: 10 * sizeOf(q) * k[1]!, bytes: 4 * (4 * sizeOf(q) + 4 * sizeOf(k)) }),
  samples: gradientSamples,
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

export interface AttentionOptions {
  /** Whether a query sees only keys up to its own position. */
  readonly causal?: boolean
  /** Factor of the scores; 1 / sqrt(D) when absent. */
  readonly scale?: number
  /** i32 [B, S]: 0 for keys that nobody sees (padding). */
  readonly keyMask?: Tensor | undefined
}

/**
 * Attention of q [B, T, H, D] over k and v [B, S, G, D] -> [B, T, H, D]. With `causal`, query i sits at key position
 * i + (S - T), so that a cache of earlier keys comes first. Raises ShapeMismatch.
 */
export const attention = (
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { causal = false, scale = 1 / Math.sqrt(q.shape.at(-1) ?? 1), keyMask }: AttentionOptions = {}
): Tensor => apply(attentionKernel, { q, k, v, keyMask }, { causal, scale }).y
