/** Samples of attention: one or several key-value heads, more keys than queries, padding, nothing to see. */
import type { Sample } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import { indices, normals, type SampleOperand, type SampleRandom } from "../operands/samples.ts"
import { type AttentionAttributes, attentionSize } from "./geometry.ts"
import { reference } from "./reference.ts"

interface Case {
  readonly b: number
  readonly t: number
  readonly s: number
  readonly h: number
  readonly g: number
  readonly d: number
  readonly causal: boolean
  readonly mask?: readonly number[]
}

const cases: readonly Case[] = [
  { b: 1, t: 1, s: 1, h: 1, g: 1, d: 1, causal: false },
  { b: 2, t: 3, s: 3, h: 2, g: 2, d: 5, causal: false },
  { b: 1, t: 5, s: 5, h: 6, g: 2, d: 3, causal: true },
  { b: 1, t: 2, s: 7, h: 3, g: 1, d: 4, causal: true },
  { b: 2, t: 3, s: 4, h: 2, g: 1, d: 2, causal: false, mask: [1, 1, 0, 1, 0, 1, 1, 0] },
  { b: 2, t: 4, s: 4, h: 2, g: 1, d: 2, causal: true, mask: [0, 1, 1, 1, 0, 0, 0, 0] },
  { b: 1, t: 4, s: 2, h: 1, g: 1, d: 3, causal: true },
  { b: 1, t: 0, s: 3, h: 2, g: 1, d: 4, causal: true },
  { b: 1, t: 1, s: 131, h: 7, g: 1, d: 16, causal: true },
  { b: 2, t: 1, s: 66, h: 6, g: 2, d: 13, causal: true },
  { b: 2, t: 1, s: 7, h: 4, g: 2, d: 5, causal: false, mask: [1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0] },
  { b: 1, t: 17, s: 17, h: 4, g: 2, d: 16, causal: true },
  { b: 2, t: 33, s: 65, h: 2, g: 1, d: 8, causal: false },
  { b: 1, t: 67, s: 131, h: 3, g: 1, d: 16, causal: true },
  { b: 1, t: 9, s: 9, h: 2, g: 1, d: 40, causal: true }
]

const nameOf = ({ b, t, s, h, g, d, causal, mask }: Case): string =>
  `${b}x${t}x${h}x${d} over ${s}x${g}${causal ? " causal" : ""}${mask ? " masked" : ""}`

const operands = (random: SampleRandom, { b, t, s, h, g, d, mask }: Case) => ({
  q: normals(random, [b, t, h, d]),
  k: normals(random, [b, s, g, d]),
  v: normals(random, [b, s, g, d]),
  ...(mask ? { keyMask: indices(mask, [b, s]) } : {})
})

export const samples = (random: SampleRandom): readonly Sample<AttentionAttributes>[] =>
  cases.map((at) => ({
    name: nameOf(at),
    inputs: operands(random, at),
    attributes: { causal: at.causal, scale: at.d ** -0.5 }
  }))

/** y and logSumExp of the operands, as the forward kernel would give them. */
const forward = (
  inputs: {
    readonly q: SampleOperand
    readonly k: SampleOperand
    readonly v: SampleOperand
    readonly keyMask?: SampleOperand
  },
  attributes: AttentionAttributes
) => {
  const { q, k, v, keyMask } = inputs
  const shapes = { q: q.shape, k: k.shape, v: v.shape, ...(keyMask ? { keyMask: keyMask.shape } : {}) }
  const { batch, heads, queries } = attentionSize("attention", shapes, attributes)
  const outputs = { y: new Float64Array(sizeOf(q.shape)), logSumExp: new Float64Array(batch * heads * queries) }
  const values = (operand: SampleOperand) => Float64Array.from(operand.values)
  const arrays = { q: values(q), k: values(k), v: values(v), ...(keyMask ? { keyMask: values(keyMask) } : {}) }
  const geometry = { inputs: shapes, outputs: { y: q.shape, logSumExp: [batch, heads, queries] } }
  type Arguments = Parameters<typeof reference>
  reference(arrays as Arguments[0], outputs, geometry as Arguments[2], attributes, (value) => value)
  return {
    y: { shape: q.shape, values: Float32Array.from(outputs.y) },
    logSumExp: { shape: geometry.outputs.logSumExp, values: Float32Array.from(outputs.logSumExp) }
  }
}

export const gradientSamples = (random: SampleRandom): readonly Sample<AttentionAttributes>[] =>
  cases.map((at) => {
    const inputs = operands(random, at)
    const attributes = { causal: at.causal, scale: at.d ** -0.5 }
    return {
      name: nameOf(at),
      inputs: { ...inputs, ...forward(inputs, attributes), dy: normals(random, inputs.q.shape) },
      attributes
    }
  })
