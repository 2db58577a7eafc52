import type { GpujsBody, GpujsProgram } from "../../backends/gpujs/GpujsBody.ts"
import type { Shape } from "../../core/Shape.ts"
import type { AttentionSize } from "../attention/geometry.ts"
import { gpujs as attention, gpujsGradient as attentionGradient } from "../attention/gpujs.ts"
import { gpujsJoin, gpujsSplit } from "../splitColumns/gpujs.ts"
import { partShape, type SelfAttentionAttributes, selfAttentionSize } from "./geometry.ts"

const rowsOf = ({ batch, queries, heads, width }: AttentionSize, parts: number): Shape => [
  batch * queries,
  parts * heads * width
]

/** q, k and v out of qkv. */
export const split = (size: AttentionSize): readonly GpujsProgram[] => {
  const part = rowsOf(size, 1)
  const widths = [part[1]!, part[1]!, part[1]!] as const
  const geometry = { inputs: { x: rowsOf(size, 3) }, outputs: { first: part, second: part, third: part } }
  const names = ["q", "k", "v"] as const
  return gpujsSplit
    .programs(geometry, { widths })
    .map((program, index) => ({ ...program, output: names[index]!, reads: ["qkv"] }))
}

/** dqkv out of dq, dk and dv. */
export const join = (size: AttentionSize): readonly GpujsProgram[] => {
  const part = rowsOf(size, 1)
  const geometry = { inputs: { first: part, second: part, third: part }, outputs: { y: rowsOf(size, 3) } }
  return gpujsJoin.programs(geometry, {}).map((program) => ({ ...program, output: "dqkv", reads: ["dq", "dk", "dv"] }))
}

/** Shapes that attention of the parts has as operands. */
export const partShapes = (size: AttentionSize) => {
  const part = partShape(size)
  return { q: part, k: part, v: part }
}

export const gpujs: GpujsBody<"qkv", "y" | "logSumExp", SelfAttentionAttributes> = {
  programs: ({ inputs, outputs }, { scale }) => {
    const size = selfAttentionSize("selfAttention", inputs.qkv, { scale })
    return [
      ...split(size),
      ...attention.programs({ inputs: partShapes(size) as never, outputs }, { causal: false, scale })
    ]
  }
}

export const gpujsGradient: GpujsBody<"qkv" | "y" | "logSumExp" | "dy", "dqkv", SelfAttentionAttributes> = {
  programs: ({ inputs: { qkv, ...others } }, { scale }) => {
    const size = selfAttentionSize("selfAttentionGradient", qkv, { scale })
    const { q, k, v } = partShapes(size)
    const geometry = { inputs: { q, k, v, ...others } as never, outputs: { dq: q, dk: k, dv: v } }
    return [...split(size), ...attentionGradient.programs(geometry, { causal: false, scale }), ...join(size)]
  }
}
