import type { Factor } from "../../core/Arithmetic.ts"
import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { sizeOf } from "../../core/Shape.ts"
import { reference as attention, referenceGradient as attentionGradient } from "../attention/reference.ts"
import { partShape, type SelfAttentionAttributes, selfAttentionSize } from "./geometry.ts"

/** Queries (0), keys (1) or values (2) out of rows of all three, `width` numbers each. */
const partOf = (qkv: Float64Array, index: number, width: number): Float64Array =>
  Float64Array.from({ length: qkv.length / 3 }, (_, i) => {
    const row = Math.floor(i / width)
    return qkv[(3 * row + index) * width + (i - row * width)]!
  })

const apart = (qkv: Float64Array, width: number) => ({
  q: partOf(qkv, 0, width),
  k: partOf(qkv, 1, width),
  v: partOf(qkv, 2, width)
})

/** Attention of the three parts. */
export const reference = (
  { qkv }: Arrays<"qkv">,
  outputs: Arrays<"y" | "logSumExp">,
  geometry: Geometry<"qkv", "y" | "logSumExp">,
  { scale }: SelfAttentionAttributes,
  factor: Factor
): void => {
  const size = selfAttentionSize("selfAttention", geometry.inputs.qkv, { scale })
  const part = partShape(size)
  const inputs = { q: part, k: part, v: part }
  type Arguments = Parameters<typeof attention>
  const arrays = apart(qkv, size.heads * size.width) as Arguments[0]
  attention(arrays, outputs, { ...geometry, inputs } as Arguments[2], { causal: false, scale }, factor)
}

/** The gradients of the three parts, side by side. */
export const referenceGradient = (
  { qkv, y, logSumExp, dy }: Arrays<"qkv" | "y" | "logSumExp" | "dy">,
  { dqkv }: Arrays<"dqkv">,
  { inputs }: Geometry<"qkv" | "y" | "logSumExp" | "dy", "dqkv">,
  { scale }: SelfAttentionAttributes,
  factor: Factor
): void => {
  const size = selfAttentionSize("selfAttentionGradient", inputs.qkv, { scale })
  const part = partShape(size)
  const width = size.heads * size.width
  const [dq, dk, dv] = [0, 1, 2].map(() => new Float64Array(sizeOf(part))) as [Float64Array, Float64Array, Float64Array]
  type Arguments = Parameters<typeof attentionGradient>
  const arrays = { ...apart(qkv, width), y, logSumExp, dy } as Arguments[0]
  const shapes = { q: part, k: part, v: part, y: inputs.y, logSumExp: inputs.logSumExp, dy: inputs.dy }
  const geometry = { inputs: shapes, outputs: { dq: part, dk: part, dv: part } } as unknown as Arguments[2]
  attentionGradient(arrays, { dq, dk, dv }, geometry, { causal: false, scale }, factor)
  for (const [index, gradient] of [dq, dk, dv].entries()) {
    for (const [i, value] of gradient.entries()) {
      const row = Math.floor(i / width)
      dqkv[(3 * row + index) * width + (i - row * width)] = value
    }
  }
}
