/**
 * The language model of InternVL3-1B with bf16 weights: prefill of a prompt beside the plain products of its layers, and
 * tokens from the cache beside a plain copy of memory, all in turns.
 */
import { makeNativeBackend, matmul, type NativeBackend, type Shape, sizeOf } from "@speedq/tensors"
import { generateTokens, headWidth, type LanguageConfig, linearLayers, towerOf, weightsFrom } from "@speedq/vlm-model"
import { copyKernel } from "./copyKernel.ts"
import { kernelCall } from "./kernelCall.ts"
import { alternate, type Flags, machine, median, normal, timed } from "./measure.ts"
import { bytesOfWeights, peakGib, realConfig, realWeights } from "./realModel.ts"

/** The products of one decoder layer over `rows` rows of f32 operands: the speed of the machine. */
const plainProducts = (backend: NativeBackend, weights: readonly Shape[], rows: number) => {
  const operands = weights.map((shape) => ({
    x: normal(backend, [rows, shape[1]!]),
    weight: normal(backend, shape, 0.02)
  }))
  return () =>
    timed(() => {
      for (const { x, weight } of operands) matmul(x, weight, false, true).release()
    })
}

/** Floating-point operations of causal attention over `tokens` tokens, all layers. */
const attentionFlops = (config: LanguageConfig, tokens: number): number =>
  2 * tokens * (tokens + 1) * config.num_attention_heads * headWidth(config) * config.num_hidden_layers

export const generate = async (flags: Flags) => {
  const backend = await makeNativeBackend(flags.has("threads") ? { threads: flags.number("threads", 1) } : {})
  const [prompted, produced] = [flags.number("prompt", 512), flags.number("tokens", 16)]
  const config = realConfig()
  const language = config.llm_config
  const parameters = realWeights(backend, config, "bf16", (name) => towerOf(name) === "language")
  const weights = weightsFrom(parameters)
  const prompt = normal(backend, [1, prompted, language.hidden_size])
  const tokenMs: number[] = []

  /** Generates, collects the time of every token, and returns that of the prefill. */
  const generateOnce = async (): Promise<number> => {
    let last = performance.now()
    const times: number[] = []
    const sampler = () => {
      const now = performance.now()
      times.push(now - last)
      last = now
      return times.length
    }
    const stopIds = new Set<number>()
    const tokens = generateTokens({ backend, config, weights, prompt, maxNewTokens: produced + 1, stopIds, sampler })
    while (!(await tokens.next()).done);
    tokenMs.push(...times.slice(1))
    return times[0]!
  }

  const layerShapes = [...linearLayers(config)].flatMap(([name, shape]) =>
    name.startsWith("language_model.model.layers.0.") ? [shape] : []
  )
  const layerFlops = layerShapes.reduce((sum, shape) => sum + 2 * prompted * sizeOf(shape), 0)
  const copy = kernelCall(backend, copyKernel, { x: normal(backend, [8192, 4096]) }, {})
  const [prefillMs = 0, layerMs = 0, copyMs = 0] = await alternate(
    [generateOnce, plainProducts(backend, layerShapes, prompted), copy.run],
    flags.number("rounds", 3),
    1
  )

  const prefillFlops = language.num_hidden_layers * layerFlops + attentionFlops(language, prompted)
  const [prefillGflops, productGflops] = [prefillFlops / prefillMs / 1e6, layerFlops / layerMs / 1e6]
  // Every weight once but the embedding, of which a row, and the cache as far as it is filled.
  const embedding = parameters["language_model.model.embed_tokens.weight"]!
  const cacheRow = 8 * language.num_key_value_heads * headWidth(language) * language.num_hidden_layers
  const bytesPerToken = bytesOfWeights(parameters) - 2 * sizeOf(embedding.shape) + cacheRow * (prompted + produced / 2)
  const tokenMilliseconds = median(tokenMs)
  await backend.close()
  return {
    case: "generate",
    ...machine(),
    backend: backend.name,
    prompt: prompted,
    tokens: produced,
    prefillTokensPerSecond: (1000 * prompted) / prefillMs,
    prefillGflops,
    productGflops,
    prefillOfProduct: prefillGflops / productGflops,
    decodeTokensPerSecond: 1000 / tokenMilliseconds,
    bytesPerToken,
    decodeGbPerSecond: bytesPerToken / tokenMilliseconds / 1e6,
    copyGbPerSecond: copy.bytes / copyMs / 1e6,
    peak_gib: peakGib()
  }
}
