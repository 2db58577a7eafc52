/** The whole network: activations, logits, loss and the gradient of every parameter of the tiny checkpoint. */
import { dirname, join } from "node:path"
import { crossEntropy, vocabularyLoss } from "@speedq/distillation"
import { Safetensors } from "@speedq/formats"
import {
  type Backend,
  linear,
  type Parameters,
  reshape,
  scope,
  type Tensor,
  tensor,
  valueAndGrad
} from "@speedq/tensors"
import {
  decoder,
  imageTokenRows,
  loadWeights,
  mergeEmbeddings,
  projector,
  readModelConfig,
  shuffledFeatures,
  visionBlock,
  visionBlockName,
  visionEmbeddings,
  type Weights,
  weightsFrom
} from "@speedq/vlm-model"
import type { Check } from "../Check.ts"
import { compare } from "../compare.ts"
import type { Fixture } from "../Fixture.ts"

const near = { relative: 1e-4, absolute: 1e-5 }

export const loadTinyCheckpoint = (backend: Backend, fixture: Fixture) => {
  const directory = join(dirname(fixture.path), "checkpoint")
  const config = readModelConfig(directory)
  const store = Safetensors.openModelSync(directory)
  try {
    return { config, parameters: loadWeights(backend, config, store, { matrices: "f32" }) }
  } finally {
    store.close()
  }
}

/** Pixel tiles whose flag is 1. */
export const flaggedPixels = (backend: Backend, fixture: Fixture): Tensor => {
  const [, ...rest] = fixture.shape("pixel_values")
  const size = rest.reduce((a, b) => a * b, 1)
  const pixels = fixture.numbers("pixel_values") as Float32Array
  const kept = [...fixture.integers("image_flags").entries()].filter(([, flag]) => flag === 1).map(([tile]) => tile)
  const data = new Float32Array(kept.length * size)
  for (const [place, tile] of kept.entries()) data.set(pixels.subarray(tile * size, (tile + 1) * size), place * size)
  return tensor(backend, data, [kept.length, ...rest])
}

/** Embeddings of the batch with visual tokens in place, and final hidden states: [B, T, H]. */
export const hiddenStates = (
  backend: Backend,
  fixture: Fixture,
  config: ReturnType<typeof readModelConfig>,
  weights: Weights,
  visual: Tensor
): Tensor => {
  const ids = fixture.integers("input_ids")
  const rows = imageTokenRows(ids, Number(fixture.meta["img_context_token_id"]))
  const embeddings = mergeEmbeddings(weights, fixture.load(backend, "input_ids"), [visual], rows)
  return decoder(weights, config.llm_config, embeddings, {
    ids: fixture.load(backend, "position_ids"),
    keyMask: fixture.load(backend, "attention_mask")
  })
}

export const forwardCheck: Check = {
  matches: /internvl3\/forward-/,
  run: async (fixture, backend) => {
    const { config, parameters } = loadTinyCheckpoint(backend, fixture)
    const all: Weights = weightsFrom(parameters)
    const read = async (tensor: Tensor) => (await tensor.read()) as Float32Array
    const comparisons = []
    const expected = (name: string) => fixture.numbers(name)

    // Activations of every tile, flagged or not.
    const embedded = visionEmbeddings(all, config.vision_config, fixture.load(backend, "pixel_values"))
    comparisons.push(compare("vit_embeddings", await read(embedded), expected("vit_embeddings"), near))
    const first = visionBlock(all, config.vision_config, visionBlockName(0), embedded)
    comparisons.push(compare("vit_block0", await read(first), expected("vit_block0"), near))
    const last = visionBlock(all, config.vision_config, visionBlockName(1), first)
    comparisons.push(compare("vit_last_hidden", await read(last), expected("vit_last_hidden"), near))
    const visualAll = projector(all, shuffledFeatures(config, last))
    comparisons.push(compare("visual_embeds", await read(visualAll), expected("visual_embeds"), near))

    const [batch = 0, length = 0] = fixture.shape("input_ids")
    const result = valueAndGrad((trained: Parameters) => {
      const weights = weightsFrom(trained)
      const visual = scope(() => {
        let x = visionEmbeddings(weights, config.vision_config, flaggedPixels(backend, fixture))
        for (let i = 0; i < 2; i++) x = visionBlock(weights, config.vision_config, visionBlockName(i), x)
        return projector(weights, shuffledFeatures(config, x))
      })
      const hidden = hiddenStates(backend, fixture, config, weights, visual)
      const head = weights.get("language_model.lm_head.weight")
      const { loss } = vocabularyLoss({
        losses: [crossEntropy()],
        labels: { values: fixture.integers("labels"), batch, length },
        student: { hidden, weight: head },
        chunkRows: 5
      })
      return { loss, auxiliary: { hidden: reshape(hidden, hidden.shape) } }
    })(parameters)
    const logits = linear(result.auxiliary.hidden, parameters["language_model.lm_head.weight"]!)
    comparisons.push(compare("logits", ...validRows(fixture, await read(logits)), near))
    comparisons.push(compare("loss", [await result.value.item()], expected("loss"), near))
    for (const [name, gradient] of Object.entries(result.gradients)) {
      comparisons.push(compare(`grad.${name}`, await read(gradient), expected(`grad.${name}`), near))
    }
    return comparisons
  }
}

/** Logits of tokens that are not padding: what padding attends to is nobody's contract. */
const validRows = (fixture: Fixture, logits: Float32Array): [number[], number[]] => {
  const mask = fixture.integers("attention_mask")
  const columns = fixture.shape("logits").at(-1)!
  const expected = fixture.numbers("logits")
  const kept = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => mask[Math.floor(i / columns)] === 1)
  return [kept(logits), kept(expected)]
}
