/** The whole network: activations, logits, loss and the gradient of every parameter of the tiny checkpoint. */
import { dirname, join } from "node:path"
import { crossEntropy, vocabularyLoss } from "@speedq/distillation"
import { parameterOf, Safetensors } from "@speedq/formats"
import { type Backend, linear, type Parameters, reshape, type Tensor, tensor, valueAndGrad } from "@speedq/tensors"
import {
  blocksUsed,
  decoder,
  headLayerOf,
  imageTokenRows,
  loadWeights,
  type ModelConfig,
  mergeEmbeddings,
  projector,
  readModelConfig,
  shuffledFeatures,
  visionBlock,
  visionBlockName,
  visionEmbeddings,
  visionFeatures,
  type Weights,
  weightsFrom
} from "@speedq/vlm-model"
import type { Check } from "../Check.ts"
import { type Comparison, compare } from "../compare.ts"
import type { Fixture } from "../Fixture.ts"

const near = { relative: 1e-4, absolute: 1e-5 }

/** Something that was computed, and what the fixture says of it. */
interface Result {
  readonly what: string
  readonly actual: ArrayLike<number>
  readonly expected: ArrayLike<number>
}

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

/** Pixel tiles whose flag is 1; undefined where none is. */
export const flaggedPixels = (backend: Backend, fixture: Fixture): Tensor | undefined => {
  const [, ...rest] = fixture.shape("pixel_values")
  const size = rest.reduce((a, b) => a * b, 1)
  const pixels = fixture.numbers("pixel_values") as Float32Array
  const kept = [...fixture.integers("image_flags").entries()].filter(([, flag]) => flag === 1).map(([tile]) => tile)
  if (kept.length === 0) return undefined
  const data = new Float32Array(kept.length * size)
  for (const [place, tile] of kept.entries()) data.set(pixels.subarray(tile * size, (tile + 1) * size), place * size)
  return tensor(backend, data, [kept.length, ...rest])
}

/** Final hidden states [B, T, H] of a batch whose tiles have `features`; undefined where it shows none. */
export const hiddenStates = (
  backend: Backend,
  fixture: Fixture,
  config: ModelConfig,
  weights: Weights,
  features: Tensor | undefined
): Tensor => {
  const ids = fixture.integers("input_ids")
  const rows = imageTokenRows(ids, fixture.number("img_context_token_id"))
  const visual = features === undefined ? [] : [projector(weights, features)]
  const embeddings = mergeEmbeddings(weights, config.llm_config, fixture.load(backend, "input_ids"), visual, rows)
  return decoder(weights, config.llm_config, embeddings, {
    ids: fixture.load(backend, "position_ids"),
    keyMask: fixture.load(backend, "attention_mask")
  })
}

/** The tower's embeddings and the output of each block, of every tile, flagged or not. */
const visionStates = (weights: Weights, { vision_config }: ModelConfig, pixels: Tensor): readonly Tensor[] => {
  const states = [visionEmbeddings(weights, vision_config, pixels)]
  for (let block = 0; block < vision_config.num_hidden_layers; block++) {
    states.push(visionBlock(weights, vision_config, visionBlockName(block), states[block]!))
  }
  return states
}

/** What the fixture has of the tower: its ends, every block that is named, and the visual tokens. */
const visionResults = async (
  backend: Backend,
  fixture: Fixture,
  config: ModelConfig,
  weights: Weights
): Promise<readonly Result[]> => {
  const states = visionStates(weights, config, fixture.load(backend, "pixel_values"))
  const blocks = states.slice(1).map((state, block) => [`vit_block${block}`, state] as const)
  const named = [
    ["vit_embeddings", states[0]!],
    ...blocks.filter(([name]) => fixture.names.includes(name)),
    ["vit_last_hidden", states.at(-1)!],
    ["visual_embeds", projector(weights, shuffledFeatures(config, states[blocksUsed(config)]!))]
  ] as const
  return Promise.all(
    named.map(async ([what, state]) => ({ what, actual: await state.read(), expected: fixture.numbers(what) }))
  )
}

export const forwardCheck: Check = {
  matches: /internvl(2_5|3(_5\w*)?)\/forward-/,
  run: async (fixture, backend): Promise<readonly Comparison[]> =>
    (await forwardResults(fixture, backend)).map(({ what, actual, expected }) => compare(what, actual, expected, near))
}

/** All that the fixture of a network says, computed on a backend. */
export const forwardResults = async (fixture: Fixture, backend: Backend): Promise<readonly Result[]> => {
  const { config, parameters } = loadTinyCheckpoint(backend, fixture)
  const all: Weights = weightsFrom(parameters)
  const read = async (tensor: Tensor) => (await tensor.read()) as Float32Array
  const results = [...(await visionResults(backend, fixture, config, all))]
  const [batch = 0, length = 0] = fixture.shape("input_ids")
  const headName = parameterOf(headLayerOf(config.llm_config))
  const result = valueAndGrad((trained: Parameters) => {
    const weights = weightsFrom(trained)
    const pixels = flaggedPixels(backend, fixture)
    const features = pixels && visionFeatures(weights, config, pixels)
    const hidden = hiddenStates(backend, fixture, config, weights, features)
    const head = weights.get(headName)
    const { loss } = vocabularyLoss({
      losses: [crossEntropy()],
      labels: { values: fixture.integers("labels"), batch, length },
      student: { hidden, weight: head },
      chunkRows: 5
    })
    return { loss, auxiliary: { hidden: reshape(hidden, hidden.shape) } }
  })(parameters)
  const logits = linear(result.auxiliary.hidden, parameters[headName]!)
  const [valid, validExpected] = validRows(fixture, await read(logits))
  results.push({ what: "logits", actual: valid, expected: validExpected })
  results.push({ what: "loss", actual: [await result.value.item()], expected: fixture.numbers("loss") })
  for (const [name, gradient] of Object.entries(result.gradients)) {
    // Autograd has no gradient for a parameter that the loss does not reach: ours is 0 there.
    const expected = fixture.names.includes(`grad.${name}`)
      ? fixture.numbers(`grad.${name}`)
      : new Float32Array(gradient.size)
    results.push({ what: `grad.${name}`, actual: await read(gradient), expected })
  }
  return results
}

/** Logits of tokens that are not padding: what padding attends to is nobody's contract. */
const validRows = (fixture: Fixture, logits: Float32Array): [number[], number[]] => {
  const mask = fixture.integers("attention_mask")
  const columns = fixture.shape("logits").at(-1)!
  const expected = fixture.numbers("logits")
  const kept = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => mask[Math.floor(i / columns)] === 1)
  return [kept(logits), kept(expected)]
}
