/**
 * The language model of InternVL3-1B, in bf16 or packed (--packed, with --int8 in int8 activations): prefill of a prompt beside the
 * plain products of its layers, and tokens from the cache beside a plain read and a plain copy of as much memory, and, packed, beside
 * llama.cpp where node-llama-cpp is installed, all in turns.
 */
import { type Backend, makeNativeBackend, matmul, type Parameters, type Shape, sizeOf } from "@speedq/tensors"
import { generateTokens, headWidth, type LanguageConfig, linearLayers, towerOf, weightsFrom } from "@speedq/vlm-model"
import { copyKernel } from "./copyKernel.ts"
import { kernelCall } from "./kernelCall.ts"
import { hasLlamaCpp, type LlamaTokens, startLlamaCpp } from "./llamaCpp.ts"
import { alternate, type Flags, machine, median, normal, sustained, timed } from "./measure.ts"
import { packedMatrices } from "./packedMatrices.ts"
import { profiled, sumBy } from "./profiledBackend.ts"
import { readKernel } from "./readKernel.ts"
import { bytesOfWeights, peakGib, realConfig, realWeights } from "./realModel.ts"

/** The products of one decoder layer over `rows` rows of f32 operands: the speed of the machine. */
const plainProducts = (backend: Backend, weights: readonly Shape[], rows: number) => {
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

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const wholeLanguage = (parameters: Parameters) => ({
  weights: weightsFrom(parameters),
  bytesOf: (name: string): number => bytesOfWeights({ [name]: parameters[name]! }),
  bytes: bytesOfWeights(parameters)
})

export const generate = async (flags: Flags) => {
  const threads = flags.number("threads", machine().cores)
  const native = await makeNativeBackend(flags.has("threads") ? { threads } : {})
  const { backend, enter, spent } = profiled(native)
  enter(undefined)
  const [prompted, produced] = [flags.number("prompt", 512), flags.number("tokens", 16)]
  const config = realConfig()
  const language = config.llm_config
  const parameters = realWeights(backend, config, "bf16", (name) => towerOf(name) === "language")
  const packed = flags.has("packed")
  const activations = flags.has("int8") ? "int8" : "f32"
  const { weights, bytesOf, bytes } = packed ? await packedMatrices(parameters, activations) : wholeLanguage(parameters)
  const prompt = normal(backend, [1, prompted, language.hidden_size])
  const tokenMs: number[] = []
  const tokenCpuMs: number[] = []

  /** Generates, and returns the times of the prefill and of every token, and the time on processors of a token. `began` is called between them. */
  const generateOnce = async (
    began?: () => void
  ): Promise<readonly [prefill: number, tokens: readonly number[], cpu: number]> => {
    const times: number[] = []
    let last = performance.now()
    let started = process.cpuUsage()
    let cpuMs = 0
    const sampler = () => {
      const now = performance.now()
      times.push(now - last)
      if (times.length === 1) {
        began?.()
        started = process.cpuUsage()
      }
      const { user, system } = process.cpuUsage(started)
      cpuMs = (user + system) / 1000
      last = performance.now()
      return times.length
    }
    const stopIds = new Set<number>()
    const tokens = generateTokens({ backend, config, weights, prompt, maxNewTokens: produced + 1, stopIds, sampler })
    while (!(await tokens.next()).done);
    return [times[0]!, times.slice(1), cpuMs / produced]
  }
  const contestant = async (): Promise<number> => {
    const [prefill, tokens, cpu] = await generateOnce()
    tokenMs.push(...tokens)
    tokenCpuMs.push(cpu)
    return prefill
  }

  const layerShapes = [...linearLayers(config)].flatMap(([name, shape]) =>
    name.startsWith("language_model.model.layers.0.") ? [shape] : []
  )
  const layerFlops = layerShapes.reduce((sum, shape) => sum + 2 * prompted * sizeOf(shape), 0)
  // Every weight once but the embedding, of which a row, and the cache as far as it is filled.
  const cacheRow = 8 * language.num_key_value_heads * headWidth(language) * language.num_hidden_layers
  const bytesPerToken =
    bytes - bytesOf("language_model.model.embed_tokens.weight") + cacheRow * (prompted + produced / 2)

  await contestant()
  const peak = peakGib()
  tokenMs.length = 0
  tokenCpuMs.length = 0
  const llamaCpp = packed && hasLlamaCpp ? await startLlamaCpp(config, threads) : undefined
  const llamaTokens: LlamaTokens[] = []
  const other = async (): Promise<number> => {
    const tokens = await llamaCpp!.generate(prompted, produced)
    llamaTokens.push(tokens)
    return tokens.wallMs
  }
  const readRows = Math.round(bytesPerToken / 2 / language.hidden_size)
  const read = kernelCall(
    backend,
    readKernel,
    { x: normal(backend, [readRows, language.hidden_size], 1, 1, "bf16") },
    {}
  )
  const copy = kernelCall(backend, copyKernel, { x: normal(backend, [8192, 4096]) }, {})
  const [prefillMs = 0, layerMs = 0, readMs = 0, copyMs = 0] = await alternate(
    [
      contestant,
      plainProducts(backend, layerShapes, prompted),
      () => sustained(read.run),
      copy.run,
      ...(llamaCpp ? [other] : [])
    ],
    flags.number("rounds", 3),
    1
  )
  llamaCpp?.stop()
  const [, counted] = await generateOnce(() => enter("decode"))
  enter(undefined)

  const prefillFlops = language.num_hidden_layers * layerFlops + attentionFlops(language, prompted)
  const [prefillGflops, productGflops] = [prefillFlops / prefillMs / 1e6, layerFlops / layerMs / 1e6]
  const tokenMilliseconds = median(tokenMs)
  const decodeGbPerSecond = bytesPerToken / tokenMilliseconds / 1e6
  const readGbPerSecond = read.bytes / readMs / 1e6
  // Of the generation that was counted: the sum of its tokens, which is a little more than without counting.
  const kernelMs = sumBy(
    spent(),
    ({ kernel }) => kernel,
    (group) => group.reduce((sum, { ms }) => sum + ms, 0) / counted.length
  )
  const outsideMs = [...Object.values(kernelMs)].reduce((left, ms) => left - ms, mean(counted))
  await backend.close()
  return {
    case: "generate",
    weights: packed ? "packed" : "bf16",
    ...(packed ? { activations } : {}),
    ...machine(),
    backend: backend.name,
    prompt: prompted,
    tokens: produced,
    prefillTokensPerSecond: (1000 * prompted) / prefillMs,
    prefillGflops,
    productGflops,
    prefillOfProduct: prefillGflops / productGflops,
    decodeTokensPerSecond: 1000 / tokenMilliseconds,
    decodeTokensPerCpuSecond: 1000 / median(tokenCpuMs),
    ...(llamaCpp
      ? {
          llamaCppBuild: llamaTokens[0]!.build,
          llamaCppTokensPerSecond: 1000 / median(llamaTokens.map(({ wallMs }) => wallMs)),
          llamaCppTokensPerCpuSecond: 1000 / median(llamaTokens.map(({ cpuMs }) => cpuMs))
        }
      : {}),
    bytesPerToken,
    decodeGbPerSecond,
    readGbPerSecond,
    decodeOfRead: decodeGbPerSecond / readGbPerSecond,
    copyGbPerSecond: copy.bytes / copyMs / 1e6,
    msPerToken: { ...kernelMs, outsideKernels: outsideMs },
    peak_gib: peak
  }
}
