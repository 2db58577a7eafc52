/** What a model is asked about one row of a benchmark: its answer, and how far its predictions are from full precision. */
import {
  Answerer,
  type AnswerRequest,
  type Benchmark,
  type DataFile,
  type DataRow,
  requestOf
} from "@speedq/evaluation"
import { noGrad, scope } from "@speedq/tensors"
import {
  type AnsweringModel,
  collate,
  encodeConversation,
  joinTiles,
  type Turn,
  tokensPerTile,
  type Weights
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { computing } from "../../compute/computing.ts"
import { type MicroBatch, tileKeysOf } from "../../data/SampleLoader.ts"
import { batchDivergence, type Divergence } from "../../model/divergence.ts"
import { tilesOf } from "../../model/modelAnswerer.ts"
import { hiddenStates } from "../../training/hiddenStates.ts"
import { makeVisionFeatures } from "../../training/VisionFeatures.ts"

export interface Question {
  readonly benchmark: Benchmark
  readonly data: DataFile
  readonly row: DataRow
}

/** The answer to a row. */
export const askRow = Effect.fnUntraced(function* ({ benchmark, data, row }: Question) {
  const { answer } = yield* Answerer
  return yield* answer(yield* requestOf(benchmark, data, row))
})

/** Question and expected answer as a batch of one; undefined where the sequence is too long to be one. */
const expectedBatch = (model: AnsweringModel, request: AnswerRequest, expected: string): MicroBatch | undefined => {
  const { config, image, tokenizer } = model.directory
  const cut = tilesOf(model, request)
  const system = config.system_message
  const turns: readonly Turn[] = [
    ...(system === null ? [] : [{ from: "system", value: system } as const]),
    { from: "human", value: request.prompt },
    { from: "gpt", value: expected }
  ]
  const maxLength = config.llm_config.max_position_embeddings
  const options = { tokenizer, tokensPerTile: tokensPerTile(config), maxLength }
  const encoded = encodeConversation(
    turns,
    cut.map(({ count }) => count),
    options
  )
  if (Result.isFailure(encoded)) return undefined
  const tiles = joinTiles(cut, image.tileSize)
  const imageFlags = new Uint8Array(tiles.count).fill(1)
  const batch = collate([{ ...encoded.success, tiles, imageFlags, answerTokens: 0 }], { statistics: image.statistics })
  return { ...batch, samples: [0], tilesOf: [tiles.count], tileKeys: tileKeysOf(tiles), substituted: [] }
}

/** Divergence of `model` from the weights `original` over the expected answer of a row. */
export const rowDivergence = Effect.fnUntraced(function* (
  model: AnsweringModel,
  original: Weights,
  { benchmark, data, row }: Question
) {
  const none: Divergence = { sum: 0, tokens: 0 }
  const expected = row.cells.get("answer")
  if (expected === undefined) return none
  const batch = expectedBatch(model, yield* requestOf(benchmark, data, row), expected)
  if (batch === undefined) return none
  const { backend, directory } = model
  return yield* computing(async () => {
    const see = async (weights: Weights) => {
      const features = await makeVisionFeatures({ backend, config: directory.config, weights, budget: 0 }).of(batch, 0)
      const hidden = noGrad(() => scope(() => hiddenStates({ backend, directory, weights, batch, features })))
      features?.release()
      return { hidden, weights }
    }
    const [teacher, student] = [await see(original), await see(model.weights)]
    const divergence = await batchDivergence(batch, teacher, student)
    for (const { hidden } of [teacher, student]) hidden.release()
    return divergence
  })
})
