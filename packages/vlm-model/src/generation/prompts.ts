/** Questions as the decoder reads them: rendered text, visual tokens, embeddings of several prompts side by side. */
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import { generationPrompt, type PromptInput } from "../conversation/generationPrompt.ts"
import { normalizeTiles } from "../image/normalize.ts"
import { joinTiles, type Tiles } from "../image/tiling.ts"
import type { InSteps } from "../internal/inSteps.ts"
import { tokensPerTile } from "../model/ModelConfig.ts"
import type { ModelDirectory } from "../model/ModelDirectory.ts"
import { imageTokenRows, mergeEmbeddings } from "../model/multimodal.ts"
import { projector, shuffledFeatures, visionBlocksInSteps, visionEmbeddings } from "../model/vision.ts"
import type { Weights } from "../model/Weights.ts"
import { contextRoom } from "./contextRoom.ts"

/** What is asked: a question with the tiles of its pictures, in order. */
export interface Asked extends Pick<PromptInput, "question" | "history"> {
  readonly images: readonly Tiles[]
  /** What the system turn says; absent: the model's own message. */
  readonly system?: string
}

/** A model that is ready to be asked. */
export interface AnsweringModel {
  readonly backend: Backend
  readonly directory: ModelDirectory
  readonly weights: Weights
}

/** The prompt in pieces. Fails with PromptInvalid. */
export const renderQuestion = ({ config }: ModelDirectory, { question, history, images, system }: Asked) =>
  generationPrompt({
    question,
    ...(history ? { history } : {}),
    tilesPerImage: images.map(({ count }) => count),
    tokensPerTile: tokensPerTile(config),
    systemMessage: system ?? config.system_message
  })

// One tile of a real model, 1025 patches and class, fills a product; of a small model, many do.
const patchesTogether = 2048

/** How far a prompt is: nothing is generated before all of it was read. */
export interface Preparing {
  /** Tiles that the vision tower has seen. */
  readonly tiles: number
  readonly of: number
  /** Tokens that the decoder reads after them. */
  readonly tokens: number
}

/**
 * Adds the visual tokens of all tiles, [tiles, tokens, H] each, to `visual`: few at a time, for tiles do not meet before the decoder and
 * memory is dear.
 */
function* seeTiles(
  { backend, directory, weights }: AnsweringModel,
  images: readonly Tiles[],
  visual: Tensor[],
  seen: (tiles: number, of: number) => void
): InSteps<void> {
  const { config, image } = directory
  const [first] = images
  if (first === undefined) return
  const tiles = joinTiles(images, first.size)
  const { count, size } = tiles
  const pixels = normalizeTiles(tiles, image.statistics)
  const tileLength = pixels.length / count
  const patches = 1 + (size / config.vision_config.patch_size) ** 2
  const together = Math.max(1, Math.floor(patchesTogether / patches))
  for (let begin = 0; begin < count; begin += together) {
    const taken = Math.min(together, count - begin)
    seen(begin, count)
    const values = pixels.subarray(begin * tileLength, (begin + taken) * tileLength)
    const embed = () => visionEmbeddings(weights, config.vision_config, tensor(backend, values, [taken, 3, size, size]))
    const hidden = yield* visionBlocksInSteps(
      weights,
      config,
      noGrad(() => scope(embed))
    )
    try {
      visual.push(noGrad(() => scope(() => projector(weights, shuffledFeatures(config, hidden)))))
    } finally {
      hidden.release()
    }
  }
}

/** A rendered prompt with its token ids. */
export interface Prompt {
  readonly ids: Int32Array
  readonly images: readonly Tiles[]
}

/**
 * Embeddings of prompts of equal length, token by token of all: [T, B, H]; a block of the tower a step. `watch` is told before each of them, and
 * last. Raises ImageTokenMismatch, PromptTooLong.
 */
export function* promptEmbeddings(
  model: AnsweringModel,
  prompts: readonly Prompt[],
  watch: (progress: Preparing) => void = () => {}
): InSteps<Tensor> {
  const { backend, directory, weights } = model
  const { config, tokens } = directory
  const count = prompts.length
  const length = prompts[0]!.ids.length
  // Before the pictures are looked at.
  contextRoom(config, length)
  const ids = new Int32Array(length * count)
  const places: number[] = []
  for (const [at, prompt] of prompts.entries()) {
    for (const [token, id] of prompt.ids.entries()) ids[token * count + at] = id
    for (const row of imageTokenRows(prompt.ids, tokens.imageContext)) places.push(row * count + at)
  }
  const images = prompts.flatMap((prompt) => prompt.images)
  const visual: Tensor[] = []
  try {
    yield* seeTiles(model, images, visual, (tiles, of) => watch({ tiles, of, tokens: length }))
    const tiles = images.reduce((sum, { count }) => sum + count, 0)
    watch({ tiles, of: tiles, tokens: length })
    const merged = () => {
      const all = tensor(backend, ids, [length, count], "i32")
      return mergeEmbeddings(weights, config.llm_config, all, visual, Int32Array.from(places))
    }
    return noGrad(() => scope(merged))
  } finally {
    for (const tensor of visual) tensor.release()
  }
}
