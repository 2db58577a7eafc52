import type { WebgpuBody } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { sizeOf } from "../../core/Shape.ts"
import { webgpu as attention, webgpuGradient as attentionGradient } from "../attention/webgpu.ts"
import { partShape, type SelfAttentionAttributes, selfAttentionSize } from "./geometry.ts"
import { join, partShapes, split } from "./gpujs.ts"

export const webgpu: WebgpuBody<"qkv", "y" | "logSumExp", SelfAttentionAttributes> = {
  launches: ({ inputs, outputs }, { scale }, matrices) => {
    const size = selfAttentionSize("selfAttention", inputs.qkv, { scale })
    const geometry = { inputs: partShapes(size) as never, outputs }
    return [...split(size), ...attention.launches(geometry, { causal: false, scale }, matrices)]
  }
}

export const webgpuGradient: WebgpuBody<"qkv" | "y" | "logSumExp" | "dy", "dqkv", SelfAttentionAttributes> = {
  launches: ({ inputs: { qkv, ...others } }, { scale }, matrices) => {
    const size = selfAttentionSize("selfAttentionGradient", qkv, { scale })
    const { q, k, v } = partShapes(size)
    const geometry = { inputs: { q, k, v, ...others } as never, outputs: { dq: q, dk: k, dv: v } }
    const steps = attentionGradient.launches(geometry, { causal: false, scale }, matrices)
    // Gradients of the parts are no operands here: they take room of their own.
    const own = sizeOf(partShape(size))
    const sized = steps.map((step) =>
      "program" in step ? { ...step, writes: step.writes.map((target) => ({ size: own, ...target })) } : step
    )
    return [...split(size), ...sized, ...join(size)]
  }
}
