import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { type SelfAttentionAttributes, selfAttentionSize } from "./geometry.ts"

export const native: NativeBody<"qkv", "y" | "logSumExp", SelfAttentionAttributes> = (
  engine,
  { inputs: { qkv }, outputs, attributes: { scale } }
) => {
  const size = selfAttentionSize("selfAttention", qkv.shape, { scale })
  engine.attention({ ...size, scale, causal: false, sideBySide: true, q: qkv, k: qkv, v: qkv, ...outputs })
}

export const nativeGradient: NativeBody<"qkv" | "y" | "logSumExp" | "dy", "dqkv", SelfAttentionAttributes> = (
  engine,
  { inputs: { qkv, ...others }, outputs: { dqkv }, attributes: { scale } }
) => {
  const size = selfAttentionSize("selfAttentionGradient", qkv.shape, { scale })
  const parts = { q: qkv, k: qkv, v: qkv, dq: dqkv, dk: dqkv, dv: dqkv }
  engine.attentionGradient({ ...size, scale, causal: false, sideBySide: true, ...parts, ...others })
}
