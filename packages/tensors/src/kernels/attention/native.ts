import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { type AttentionAttributes, attentionSize } from "./geometry.ts"

export const native: NativeBody<"q" | "k" | "v", "y" | "logSumExp", AttentionAttributes, "keyMask"> = (
  engine,
  { inputs, outputs, attributes }
) => {
  const { q, k, v } = inputs
  const size = attentionSize("attention", { q: q.shape, k: k.shape, v: v.shape }, attributes)
  engine.attention({ ...size, ...attributes, ...inputs, ...outputs })
}

export const nativeGradient: NativeBody<
  "q" | "k" | "v" | "y" | "logSumExp" | "dy",
  "dq" | "dk" | "dv",
  AttentionAttributes,
  "keyMask"
> = (engine, { inputs, outputs, attributes }) => {
  const { q, k, v } = inputs
  const size = attentionSize("attentionGradient", { q: q.shape, k: k.shape, v: v.shape }, attributes)
  engine.attentionGradient({ ...size, ...attributes, ...inputs, ...outputs })
}
