/** A model directory as everything but its weights: config, tokenizer, ids of the chat tokens, how images are prepared. */
import * as Effect from "effect/Effect"
import type { SpecialTokenMissing } from "../Errors.ts"
import type { ImageSettings } from "../image/preprocess.ts"
import { type ChatTokens, chatTokens } from "../tokenizer/chatTokens.ts"
import { type LoadTokenizerError, loadTokenizer } from "../tokenizer/loadTokenizer.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import { readModelConfig } from "./configFile.ts"
import { readStatistics } from "./imageStatistics.ts"
import { type ModelConfig, tileSize } from "./ModelConfig.ts"
import { type ModelConfigInvalid, VocabularyMismatch } from "./ModelErrors.ts"

export interface ModelDirectory {
  readonly directory: string
  readonly config: ModelConfig
  readonly tokenizer: Tokenizer
  readonly tokens: ChatTokens
  readonly image: ImageSettings
}

export type OpenModelError = ModelConfigInvalid | LoadTokenizerError | SpecialTokenMissing | VocabularyMismatch

/** Reads config.json, the image processor's file and the tokenizer of a directory. The weights stay on disk. */
export const openModelDirectory = Effect.fn("openModelDirectory")(function* (
  directory: string
): Effect.fn.Return<ModelDirectory, OpenModelError> {
  const config = yield* Effect.try({
    try: () => readModelConfig(directory),
    catch: (error) => error as ModelConfigInvalid
  })
  const loaded = yield* loadTokenizer(directory)
  const tokens = yield* chatTokens(loaded)
  const rows = config.llm_config.vocab_size
  // Some conversions to the transformers layout add "<video>", which never reaches the model: the embedding has no row for it.
  const tokenizer = loaded.vocabSize > rows ? loaded.fitting(rows) : loaded
  if (tokenizer.vocabSize > rows || Object.values(tokens).some((id) => id >= rows)) {
    return yield* new VocabularyMismatch({ directory, tokens: loaded.vocabSize, rows })
  }
  const statistics = yield* readStatistics(directory)
  const image: ImageSettings = {
    tileSize: tileSize(config),
    minTiles: config.min_dynamic_patch,
    maxTiles: config.max_dynamic_patch,
    thumbnail: config.use_thumbnail,
    dynamic: config.dynamic_image_size,
    padToSquare: config.pad2square,
    statistics
  }
  return { directory, config, tokenizer, tokens, image }
})
