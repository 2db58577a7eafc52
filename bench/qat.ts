/**
 * One stage-3 step at InternVL3-1B shapes with random weights, teacher included: the case `qat` of PyTorch's reference.
 * Student weights, moments and gradients in f32; teacher and head in bf16; logits only where a loss reads them.
 */
import { cakld, crossEntropy, vocabularyLoss } from "@speedq/distillation"
import { bilevel } from "@speedq/quantizers"
import {
  adamW,
  checkpoint,
  clipByGlobalNorm,
  noGrad,
  openBackend,
  type Parameters,
  Random,
  scope,
  type Tensor,
  tensor,
  valueAndGrad
} from "@speedq/tensors"
import { decoder, decoderLayer, mapWeights, type Weights, weightsFrom } from "@speedq/vlm-model"
import { type Flags, machine, median, normal } from "./measure.ts"
import { profiled } from "./profiledBackend.ts"
import { peakGib, realConfig, realWeights } from "./realModel.ts"

const headName = "language_model.lm_head.weight"
const isDecoder = (name: string): boolean => /^language_model\.model\.(layers|norm)\./.test(name)
const isLinear = (name: string): boolean => name.endsWith("_proj.weight")

/** Kernels by what they are for. */
const phases: { readonly [phase: string]: RegExp } = {
  products: /^(linear|matmul|matmulInto)$/,
  attention: /^attention/,
  fakeQuantization: /^fakeQuant/,
  losses: /Rows$/,
  optimizer: /^(adamStep|sumSquaresInto|clipFactor)$/
}
const phaseOf = (kernel: string): string =>
  kernel === "gatherRows" || kernel === "writeRows"
    ? "other"
    : (Object.entries(phases).find(([, pattern]) => pattern.test(kernel))?.[0] ?? "other")

export const qat = async (flags: Flags) => {
  const layers = flags.number("layers", 24)
  const tokens = flags.number("tokens", 512)
  const answer = flags.number("answer", 64)
  const bits = flags.number("bits", 2) as 2 | 4
  const group = flags.number("group", 16)
  const scaleGroup = flags.number("scale-group", 16)
  const steps = flags.number("steps", 2)
  const rematerialize = flags.has("checkpoint")
  const { backend, times, reset } = profiled(await openBackend("native"))

  const base = realConfig()
  const config = { ...base, llm_config: { ...base.llm_config, num_hidden_layers: layers } }
  const language = config.llm_config
  const teacherWeights = realWeights(backend, config, "bf16", (name) => isDecoder(name) || name === headName)
  const trained = realWeights(backend, config, "f32", isDecoder)
  // The student's head is frozen and quantized: here it is the teacher's, which costs the same.
  const head = teacherWeights[headName]!
  const { quantizer, config: grid } = bilevel({ bits, group, scaleGroup })
  const optimizer = adamW({ weightDecay: 0.01 })
  let state = optimizer.init(trained)

  const random = Random.make(3, "labels")
  const values = new Int32Array(tokens).fill(-100)
  for (let i = tokens - answer; i < tokens; i++) values[i] = random.nextInteger(language.vocab_size)
  const embeddings = normal(backend, [1, tokens, language.hidden_size])
  const positions = {
    ids: tensor(
      backend,
      Int32Array.from({ length: tokens }, (_, i) => i),
      [1, tokens],
      "i32"
    )
  }
  const fakeQuantized = (weights: Weights): Weights =>
    mapWeights(weights, (name, weight) => (isLinear(name) ? quantizer.fakeQuantize(grid, weight) : weight))
  const runLayer = (parameters: Parameters) => (index: number, x: Tensor) => {
    if (!rematerialize) return decoderLayer(fakeQuantized(weightsFrom(parameters)), language, index, x, positions)
    const own = Object.entries(parameters).filter(([name]) => name.includes(`.layers.${index}.`))
    return checkpoint(
      ({ x: input, ...weights }) =>
        decoderLayer(fakeQuantized(weightsFrom(weights)), language, index, input, positions),
      { ...Object.fromEntries(own), x }
    )
  }
  const losses = [cakld({ confidence: 0.5 }), crossEntropy({ labelSmoothing: 0.1 })]
  const teacher = weightsFrom(teacherWeights)

  const oneStep = (): { readonly loss: Tensor; readonly teacher_s: number } =>
    scope(() => {
      const start = performance.now()
      const taught = noGrad(() => scope(() => decoder(teacher, language, embeddings, positions)))
      const teacher_s = (performance.now() - start) / 1000
      const { value, gradients } = valueAndGrad((parameters: Parameters) => {
        const hidden = decoder(
          weightsFrom(parameters),
          language,
          embeddings,
          positions,
          undefined,
          runLayer(parameters)
        )
        const { loss } = vocabularyLoss({
          losses,
          labels: { values, batch: 1, length: tokens },
          student: { hidden, weight: head },
          teacher: { hidden: taught, weight: head }
        })
        return { loss, auxiliary: undefined }
      })(trained)
      const { factor } = clipByGlobalNorm(gradients, 1)
      state = optimizer.update(trained, gradients, state, { learningRate: 8e-6, factor })
      return { loss: value, teacher_s }
    })

  const steps_s: number[] = []
  let loss = Number.NaN
  let teacher_s = 0
  for (let step = 0; step < steps; step++) {
    reset()
    const start = performance.now()
    const result = oneStep()
    loss = await result.loss.item()
    steps_s.push((performance.now() - start) / 1000)
    teacher_s = result.teacher_s
    result.loss.release()
  }
  const spent: { [phase: string]: number } = {}
  let productFlops = 0
  for (const [kernel, { ms, flops }] of times) {
    const phase = phaseOf(kernel)
    spent[phase] = (spent[phase] ?? 0) + ms / 1000
    if (phase === "products") productFlops += flops
  }
  const last = steps_s.at(-1)!
  const report = {
    case: "qat",
    ...machine(),
    backend: backend.name,
    layers,
    tokens,
    answer,
    bits,
    checkpoint: rematerialize,
    step_s: median(steps_s),
    steps_s,
    peak_gib: peakGib(),
    loss,
    teacher_s,
    phases_s: spent,
    outsideKernels_s: last - Object.values(spent).reduce((a, b) => a + b, 0),
    productShare: (spent["products"] ?? 0) / last,
    productGflops: productFlops / 1e9 / (spent["products"] ?? 1),
    kernels: Object.fromEntries(
      [...times].sort((a, b) => b[1].ms - a[1].ms).map(([name, { ms, calls }]) => [name, { ms: Math.round(ms), calls }])
    )
  }
  await backend.close()
  return report
}
