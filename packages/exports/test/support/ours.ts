/** What this software makes of questions about pictures: what a consumer of an export must make of them, too. */
import { noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import {
  type AnsweringModel,
  answer,
  decoder,
  encodeRendered,
  generationPrompt,
  greedy,
  imageTokenRows,
  logitsOfRows,
  type ModelConfig,
  mergeEmbeddings,
  normalizeTiles,
  projector,
  type Sampler,
  type Tiles,
  tokensPerTile,
  visionFeatures
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"

interface Computed {
  /** [T] */
  readonly ids: Int32Array
  /** [tiles, 3, size, size] */
  readonly pixels: Float32Array
  /** [tiles, tokens, H] */
  readonly visual: Float32Array
  /** [T, V] */
  readonly logits: Float32Array
}

const values = async (value: Tensor): Promise<Float32Array> => {
  const read = Float32Array.from(await value.read())
  value.release()
  return read
}

/** A question about one picture, up to the logits of every token. */
export const compute = async (model: AnsweringModel, tiles: Tiles, question: string): Promise<Computed> => {
  const { backend, directory, weights } = model
  const { config, image, tokenizer, tokens } = directory
  const rendered = await Effect.runPromise(
    generationPrompt({
      question,
      tilesPerImage: [tiles.count],
      tokensPerTile: tokensPerTile(config),
      systemMessage: config.system_message
    })
  )
  const ids = encodeRendered(tokenizer, rendered)
  const pixels = normalizeTiles(tiles, image.statistics)
  const language = config.llm_config
  const integers = (numbers: ArrayLike<number>, shape: readonly number[]) =>
    tensor(backend, Int32Array.from(numbers), shape, "i32")
  const count = Int32Array.from(ids, (_, at) => at)
  const [visual, logits] = noGrad(() =>
    scope(() => {
      const seen = projector(
        weights,
        visionFeatures(weights, config, tensor(backend, pixels, [tiles.count, 3, tiles.size, tiles.size]))
      )
      const rows = imageTokenRows(ids, tokens.imageContext)
      const prompt = mergeEmbeddings(weights, language, integers(ids, [1, ids.length]), [seen], rows)
      const hidden = decoder(weights, language, prompt, { ids: integers(count, [1, ids.length]) })
      return [seen, logitsOfRows(weights, language, hidden, integers(count, [ids.length]))] as const
    })
  )
  return { ids, pixels, visual: await values(visual), logits: await values(logits) }
}

/** The likeliest token after a prompt of logits [T, V], and its probability. */
export const firstToken = (logits: ArrayLike<number>, { llm_config: { vocab_size } }: ModelConfig) => {
  const last = Float32Array.from(logits).subarray(-vocab_size)
  const id = greedy(last)
  const total = last.reduce((sum, logit) => sum + Math.exp(logit - last[id]!), 0)
  return { id, probability: 1 / total }
}

/** The answer, token by token the likeliest unless a sampler says otherwise. */
export const answerTo = (
  model: AnsweringModel,
  tiles: Tiles,
  question: string,
  maxNewTokens: number,
  sampler: Sampler = greedy
): Promise<string> => Effect.runPromise(answer(model, { question, images: [tiles], maxNewTokens, sampler }))
