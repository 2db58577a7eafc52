/**
 * The language model of InternVL3-1B with bf16 weights: prefill of a prompt beside the products of its layers alone, and
 * tokens from the cache beside a plain copy of memory.
 */
import { makeNativeBackend, matmul, type NativeBackend, type Shape } from "@speedq/tensors"
import { generateTokens, linearLayers, towerOf, weightsFrom } from "@speedq/vlm-model"
import { copyCall } from "./kernels.ts"
import { alternate, type Flags, machine, median, normal, timed } from "./measure.ts"
import { bytesOfWeights, peakGib, realConfig, realWeights } from "./realModel.ts"

/** Times of one generation: what came before the first token, and between each two. */
interface Times {
  readonly prefillMs: number
  readonly tokenMs: readonly number[]
}

/** Floating-point operations per second of the plain f32 products of one decoder layer over `tokens` rows. */
const productCall = (backend: NativeBackend, layers: readonly Shape[], tokens: number) => {
  const operands = layers.map(([outputs = 0, inputs = 0]) => ({
    x: normal(backend, [tokens, inputs]),
    weight: normal(backend, [outputs, inputs], 0.02)
  }))
  return {
    run: () =>
      timed(() => {
        for (const { x, weight } of operands) matmul(x, weight, false, true).release()
      }),
    flops: layers.reduce((sum, [outputs = 0, inputs = 0]) => sum + 2 * tokens * outputs * inputs, 0)
  }
}

export const generate = async (flags: Flags) => {
  const backend = await makeNativeBackend(flags.has("threads") ? { threads: flags.number("threads", 1) } : {})
  const [promptTokens, newTokens] = [flags.number("prompt", 512), flags.number("tokens", 16)]
  const config = realConfig()
  const parameters = realWeights(backend, config, "bf16", (name) => towerOf(name) === "language")
  const prompt = normal(backend, [1, promptTokens, config.llm_config.hidden_size])

  const once = async (): Promise<Times> => {
    let last = performance.now()
    const times: number[] = []
    const sampler = () => {
      const now = performance.now()
      times.push(now - last)
      last = now
      return times.length
    }
    const request = { backend, config, prompt, maxNewTokens: newTokens + 1, stopIds: new Set<number>(), sampler }
    const tokens = generateTokens({ ...request, weights: weightsFrom(parameters) })
    while (!(await tokens.next()).done);
    const [prefillMs = 0, ...tokenMs] = times
    return { prefillMs, tokenMs }
  }
