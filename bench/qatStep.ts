/**
 * One stage-3 step at InternVL3-1B shapes with random weights, teacher included. Student weights, moments and gradients are f32;
 * teacher, head and vision tower bf16; logits are made only where a loss reads them.
 */
import { cakld, crossEntropy, vocabularyLoss } from "@speedq/distillation"
import { bilevel } from "@speedq/quantizers"
import {
  adamW,
  checkpoint,
  clipByGlobalNorm,
  type MomentFormat,
  noGrad,
  type Parameters,
  Random,
  recomputed,
  scope,
  type Tensor,
  tensor,
  valueAndGrad
} from "@speedq/tensors"
import { decoder, decoderLayer, mapLayers, visionFeatures, type Weights, weightsFrom } from "@speedq/vlm-model"
import { normal } from "./measure.ts"
import type { Profile } from "./profiledBackend.ts"
import { realConfig, realWeights } from "./realModel.ts"

export interface QatStepOptions {
  readonly layers: number
  readonly tokens: number
  /** Tokens at the end that carry a label. */
  readonly answer: number
  /** Tiles of 448 x 448 that pass the frozen tower; what comes out is not used. */
  readonly tiles: number
  readonly bits: 2 | 4
  readonly group: number
  readonly scaleGroup: number
  readonly rematerialize: boolean
  /** What the optimizer's moments are kept in. */
  readonly states: MomentFormat
}

const headName = "language_model.lm_head.weight"
const isDecoder = (name: string): boolean => /^language_model\.model\.(layers|norm)\./.test(name)
const isTower = (name: string): boolean => name.startsWith("vision_model.")
const isLinear = (layer: string): boolean => layer.endsWith("_proj")

const bytesOf = (tensors: readonly Tensor[]): number =>
  tensors.reduce((sum, { storage }) => sum + storage.handle.bytes, 0)

const integers = (length: number, each: (i: number) => number) => Int32Array.from({ length }, (_, i) => each(i))

/** Seconds of the tower alone, and the step; each a phase, or several, of the profile. */
export const qatStep = (profile: Profile, options: QatStepOptions) => {
  const { backend, enter } = profile
  const { layers, tokens, answer, tiles, rematerialize, states, bits, group, scaleGroup } = options
  const base = realConfig()
  const config = { ...base, llm_config: { ...base.llm_config, num_hidden_layers: layers } }
  const language = config.llm_config
  const teacherWeights = realWeights(backend, config, "bf16", (name) => isDecoder(name) || name === headName)
  const trained = realWeights(backend, config, "f32", isDecoder)
  // The student's head is frozen and quantized: here it is the teacher's, which costs the same.
  const head = teacherWeights[headName]!
  const { quantizer, config: grid } = bilevel({ bits, group, scaleGroup })
  const optimizer = adamW({ weightDecay: 0.01, states })
  let state = optimizer.init(trained)

  const random = Random.make(3, "labels")
  const values = integers(tokens, (i) => (i < tokens - answer ? -100 : random.nextInteger(language.vocab_size)))
  const labels = { values, batch: 1, length: tokens }
  const embeddings = normal(backend, [1, tokens, language.hidden_size])
  const positions = { ids: tensor(backend, integers(tokens, Number), [1, tokens], "i32") }
  const fakeQuantized = (weights: Weights): Weights =>
    mapLayers(weights, (layer, weight) =>
      isLinear(layer) ? recomputed(({ weight }) => quantizer.fakeQuantize(grid, weight), { weight }) : weight
    )
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

  let tower: readonly Tensor[] = []
  /** The tower on some tiles, which a run does once for each tile of its data. */
  const seeTiles = (): void => {
    if (tiles === 0) return
    enter("vit")
    scope(() => {
      const weights = realWeights(backend, config, "bf16", isTower)
      tower = Object.values(weights)
      const pixels = normal(backend, [1, 3, 448, 448])
      for (let tile = 0; tile < tiles; tile++)
        scope(() => noGrad(() => visionFeatures(weightsFrom(weights), config, pixels)).release())
    })
  }

  /** One step; its loss, which the caller releases. */
  const step = (): Tensor =>
    scope(() => {
      enter("teacher")
      const taught = noGrad(() => scope(() => decoder(teacher, language, embeddings, positions)))
      const { value, gradients } = valueAndGrad((parameters: Parameters) => {
        enter("forward")
        const run = runLayer(parameters)
        const hidden = decoder(weightsFrom(parameters), language, embeddings, positions, undefined, run)
        enter("loss")
        const { loss } = vocabularyLoss({
          losses,
          labels,
          student: { hidden, weight: head },
          teacher: { hidden: taught, weight: head }
        })
        enter("backward")
        return { loss, auxiliary: undefined }
      })(trained)
      enter("optimizer")
      const { factor } = clipByGlobalNorm(gradients, 1)
      state = optimizer.update(trained, gradients, state, { learningRate: 8e-6, factor })
      return value
    })
  /** Bytes of what stays from step to step, by kind; the tower from when it was seen. */
  const staying = (): { readonly [kind: string]: number } => ({
    trained: bytesOf(Object.values(trained)),
    moments: bytesOf([state.m, state.v].flatMap(Object.values<Tensor>)),
    teacher: bytesOf(Object.values(teacherWeights).filter((weight) => weight !== head)),
    head: bytesOf([head]),
    tower: bytesOf(tower)
  })
  return { seeTiles, step, staying }
}
