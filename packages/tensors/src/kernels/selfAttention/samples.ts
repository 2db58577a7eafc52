/** Samples of attention of tokens to each other: one token, odd extents, none, several blocks. */
import type { Sample } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import { normals, type SampleOperand, type SampleRandom } from "../operands/samples.ts"
import { partShape, type SelfAttentionAttributes, selfAttentionSize } from "./geometry.ts"
import { reference } from "./reference.ts"

const cases: readonly (readonly [batch: number, tokens: number, heads: number, width: number])[] = [
  [1, 1, 1, 1],
  [3, 1, 2, 4],
  [2, 3, 2, 5],
  [1, 5, 3, 4],
  [1, 17, 3, 8],
  [2, 0, 2, 4],
  [2, 33, 2, 16],
  [1, 131, 4, 12]
]

const attributesOf = (width: number): SelfAttentionAttributes => ({ scale: width ** -0.5 })

const inputsOf = (random: SampleRandom, [batch, tokens, heads, width]: (typeof cases)[number]) => ({
  qkv: normals(random, [batch, tokens, 3, heads, width])
})

export const samples = (random: SampleRandom): readonly Sample<SelfAttentionAttributes>[] =>
  cases.map((at) => ({ name: at.join("x"), inputs: inputsOf(random, at), attributes: attributesOf(at[3]) }))

/** y and logSumExp, as the forward kernel would give them. */
const forward = ({ shape, values }: SampleOperand, attributes: SelfAttentionAttributes) => {
  const size = selfAttentionSize("selfAttention", shape, attributes)
  const shapes = { y: partShape(size), logSumExp: [size.batch, size.heads, size.queries] }
  const y = new Float64Array(sizeOf(shapes.y))
  const logSumExp = new Float64Array(sizeOf(shapes.logSumExp))
  const geometry = { inputs: { qkv: shape }, outputs: shapes }
  reference({ qkv: Float64Array.from(values) }, { y, logSumExp }, geometry, attributes, (value) => value)
  return {
    y: { shape: shapes.y, values: Float32Array.from(y) },
    logSumExp: { shape: shapes.logSumExp, values: Float32Array.from(logSumExp) }
  }
}

export const gradientSamples = (random: SampleRandom): readonly Sample<SelfAttentionAttributes>[] =>
  cases.map((at) => {
    const { qkv } = inputsOf(random, at)
    const attributes = attributesOf(at[3])
    const computed = forward(qkv, attributes)
    return {
      name: at.join("x"),
      inputs: { qkv, ...computed, dy: normals(random, computed.y.shape) },
      attributes
    }
  })
