/** Answers a question about pictures: prompt, visual tokens, generation, text as it comes. */
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { generationPrompt, type PromptInput } from "../conversation/generationPrompt.ts"
import type { PromptInvalid } from "../Errors.ts"
import { normalizeTiles } from "../image/normalize.ts"
import type { Tiles } from "../image/tiling.ts"
import { tokensPerTile } from "../model/ModelConfig.ts"
import type { ModelDirectory } from "../model/ModelDirectory.ts"
import { imageTokenRows, mergeEmbeddings } from "../model/multimodal.ts"
import { projector, visionFeatures } from "../model/vision.ts"
import type { Weights } from "../model/Weights.ts"
import { generateTokens } from "./generateTokens.ts"
import type { Sampler } from "./sampling.ts"

export interface Question extends Pick<PromptInput, "question" | "history"> {
  /** Tiles of every picture, in order. */
  readonly images: readonly Tiles[]
  readonly maxNewTokens: number
  readonly sampler: Sampler
}

/** A model that is ready to be asked. */
export interface AnsweringModel {
  readonly backend: Backend
  readonly directory: ModelDirectory
  readonly weights: Weights
}

/** Visual tokens of all tiles, [tiles, tokens, H]; one tile at a time, since memory is dear and tiles do not meet before the decoder. */
const visualTokens = ({ backend, directory, weights }: AnsweringModel, images: readonly Tiles[]): readonly Tensor[] => {
  const { config, image } = directory
  return images.map((tiles) => {
    const pixels = tensor(backend, normalizeTiles(tiles, image.statistics), [tiles.count, 3, tiles.size, tiles.size])
    return projector(weights, visionFeatures(weights, config, pixels))
  })
}

/** Embeddings [1, T, H] of a rendered prompt. */
const promptEmbeddings = (model: AnsweringModel, prompt: string, images: readonly Tiles[]): Tensor =>
  noGrad(() =>
    scope(() => {
      const { backend, directory, weights } = model
      const ids = directory.tokenizer.encode(prompt)
      const index = tensor(backend, ids, [1, ids.length], "i32")
      const rows = imageTokenRows(ids, directory.tokens.imageContext)
      return mergeEmbeddings(weights, index, visualTokens(model, images), rows)
    })
  )

/** Pieces of the answer's text as they are generated, specials left out, never a part of a character. Fails with PromptInvalid. */
export const streamAnswer = (model: AnsweringModel, question: Question): Stream.Stream<string, PromptInvalid> => {
  const { backend, directory, weights } = model
  const prepare = generationPrompt({
    question: question.question,
    ...(question.history ? { history: question.history } : {}),
    tilesPerImage: question.images.map(({ count }) => count),
    tokensPerTile: tokensPerTile(directory.config),
    systemMessage: directory.config.system_message
  })
  return Stream.unwrap(
    Effect.map(prepare, (text) => Stream.fromAsyncIterable(pieces(text), (error) => error).pipe(Stream.orDie))
  )
  async function* pieces(text: string): AsyncGenerator<string> {
    const prompt = promptEmbeddings(model, text, question.images)
    const decoder = directory.tokenizer.stream({ skipSpecial: true })
    try {
      const tokens = generateTokens({
        backend,
        config: directory.config,
        weights,
        prompt,
        maxNewTokens: question.maxNewTokens,
        stopIds: new Set([directory.tokens.messageEnd, directory.tokens.endOfText]),
        sampler: question.sampler
      })
      for await (const id of tokens) {
        const piece = decoder.push(id)
        if (piece !== "") yield piece
      }
      const rest = decoder.flush()
      if (rest !== "") yield rest
    } finally {
      prompt.release()
    }
  }
}

/** The whole answer, white space around it stripped. */
export const answer = (model: AnsweringModel, question: Question): Effect.Effect<string, PromptInvalid> =>
  Stream.runFold(
    streamAnswer(model, question),
    () => "",
    (text, piece) => text + piece
  ).pipe(Effect.map((text) => text.trim()))
