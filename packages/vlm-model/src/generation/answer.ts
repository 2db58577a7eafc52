/** Answers a question about pictures: prompt, visual tokens, generation, text as it comes. */
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { generationPrompt, type PromptInput } from "../conversation/generationPrompt.ts"
import { PromptInvalid } from "../Errors.ts"
import { normalizeTiles } from "../image/normalize.ts"
import type { Tiles } from "../image/tiling.ts"
import { type ModelConfig, tokensPerTile } from "../model/ModelConfig.ts"
import type { ModelDirectory } from "../model/ModelDirectory.ts"
import { ImageTokenMismatch, LogitsNotFinite, PromptTooLong } from "../model/ModelErrors.ts"
import { imageTokenRows, mergeEmbeddings } from "../model/multimodal.ts"
import { projector, visionFeatures } from "../model/vision.ts"
import type { Weights } from "../model/Weights.ts"
import { messageEnd } from "../tokenizer/SpecialTokens.ts"
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

/** What is wrong with a question, or with the model. */
export type AnswerError = PromptInvalid | ImageTokenMismatch | PromptTooLong | LogitsNotFinite

const isAnswerError = (error: unknown): error is AnswerError =>
  [PromptInvalid, ImageTokenMismatch, PromptTooLong, LogitsNotFinite].some((type) => error instanceof type)

/** Visual tokens of every tile, [1, tokens, H]: one at a time, for tiles do not meet before the decoder and memory is dear. */
const visualTokens = ({ backend, directory, weights }: AnsweringModel, images: readonly Tiles[]): readonly Tensor[] => {
  const { config, image } = directory
  return images.flatMap((tiles) => {
    const { count, size } = tiles
    const pixels = normalizeTiles(tiles, image.statistics)
    const tileLength = pixels.length / count
    return Array.from({ length: count }, (_, tile) =>
      scope(() => {
        const values = pixels.subarray(tile * tileLength, (tile + 1) * tileLength)
        return projector(weights, visionFeatures(weights, config, tensor(backend, values, [1, 3, size, size])))
      })
    )
  })
}

/** What can be told before the pictures are looked at. */
const checkLengths = (config: ModelConfig, tokens: number, placeholders: number, images: readonly Tiles[]): void => {
  const visualTokens = tokensPerTile(config) * images.reduce((sum, { count }) => sum + count, 0)
  if (placeholders !== visualTokens) throw new ImageTokenMismatch({ placeholders, visualTokens })
  const limit = config.llm_config.max_position_embeddings
  if (tokens >= limit) throw new PromptTooLong({ tokens, limit })
}

/** Embeddings [1, T, H] of a rendered prompt. */
const promptEmbeddings = (model: AnsweringModel, prompt: string, images: readonly Tiles[]): Tensor =>
  noGrad(() =>
    scope(() => {
      const { backend, directory, weights } = model
      const ids = directory.tokenizer.encode(prompt)
      const index = tensor(backend, ids, [1, ids.length], "i32")
      const rows = imageTokenRows(ids, directory.tokens.imageContext)
      checkLengths(directory.config, ids.length, rows.length, images)
      return mergeEmbeddings(weights, index, visualTokens(model, images), rows)
    })
  )

/** Pieces of the answer's text as they are generated, specials left out, never a part of a character. */
export const streamAnswer = (model: AnsweringModel, question: Question): Stream.Stream<string, AnswerError> => {
  const { backend, directory, weights } = model
  const prepare = generationPrompt({
    question: question.question,
    ...(question.history ? { history: question.history } : {}),
    tilesPerImage: question.images.map(({ count }) => count),
    tokensPerTile: tokensPerTile(directory.config),
    systemMessage: directory.config.system_message
  })
  const generated = (text: string): Stream.Stream<string, AnswerError> =>
    Stream.fromAsyncIterable(pieces(text), (error) => error).pipe(
      Stream.catch((error) => (isAnswerError(error) ? Stream.fail(error) : Stream.die(error)))
    )
  return Stream.unwrap(Effect.map(prepare, generated))
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

/** The whole answer up to a spelled-out end of message, white space around it stripped. */
export const answer = (model: AnsweringModel, question: Question): Effect.Effect<string, AnswerError> =>
  Stream.runFold(
    streamAnswer(model, question),
    () => "",
    (text, piece) => text + piece
  ).pipe(Effect.map((text) => text.split(messageEnd, 1)[0]!.trim()))
