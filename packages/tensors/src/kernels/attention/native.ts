import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { type AttentionAttributes, attentionSize } from "./geometry.ts"

export const native: NativeBody = (engine, { inputs, outputs: { y, logSumExp }, attributes }) => {
  const { q, k, v, keyMask } = inputs
  const settings = attributes as AttentionAttributes
  const size = attentionSize("attention", { q: q!.shape, k: k!.shape, v: v!.shape }, settings)
  engine.attention({ ...size, ...settings, q: q!, k: k!, v: v!, keyMask, y: y!, logSumExp: logSumExp! })
}

export const nativeGradient: NativeBody = (engine, { inputs, outputs: { dq, dk, dv }, attributes }) => {
  const { q, k, v, y, logSumExp, dy, keyMask } = inputs
  const settings = attributes as AttentionAttributes
  const size = attentionSize("attentionGradient", { q: q!.shape, k: k!.shape, v: v!.shape }, settings)
  engine.attentionGradient({
    ...size,
    ...settings,
    q: q!,
    k: k!,
    v: v!,
    keyMask,
    y: y!,
    logSumExp: logSumExp!,
    dy: dy!,
    dq: dq!,
    dk: dk!,
    dv: dv!
  })
}
