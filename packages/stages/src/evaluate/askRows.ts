/** What a model is asked about rows of a benchmark: its answers, and how far its predictions are from full precision. */
import {
  type AnswerRequest,
  answerOf,
  type Benchmark,
  type DataFile,
  type DataRow,
  type RowImageOptions,
  RowInvalid,
  requestOf
} from "@speedq/evaluation"
import { noGrad, scope } from "@speedq/tensors"
import {
  type AnsweringModel,
  collate,
  type EncodeOptions,
  encodeConversation,
  headLayerOf,
  joinTiles,
  type TrainingSample,
  type Turn,
  tokensPerTile
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { computing } from "../compute/computing.ts"
import { type MicroBatch, tileKeysOf } from "../data/SampleLoader.ts"
import { batchDivergence, type Divergence } from "../model/divergence.ts"
import { answerRequests, tilesOf } from "../model/modelAnswerer.ts"
import { hiddenStates } from "../training/hiddenStates.ts"
import { makeVisionFeatures } from "../training/VisionFeatures.ts"

export interface Question {
  readonly benchmark: Benchmark
  readonly data: DataFile
  readonly row: DataRow
  readonly pictures?: RowImageOptions
}

const requestFor = ({ benchmark, data, row, pictures }: Question) => requestOf(benchmark, data, row, pictures)

/** The answers to some rows; rows whose pictures cannot be read are refused, and the others asked. */
export const askRows = Effect.fnUntraced(function* <Q extends Question>(
  model: AnsweringModel,
  questions: readonly Q[]
) {
  const requests: AnswerRequest[] = []
  const asked: Q[] = []
  const refused: RowInvalid[] = []
  for (const question of questions) {
    const request = yield* requestFor(question).pipe(Effect.catchTag("RowInvalid", (error) => Effect.succeed(error)))
    if (request instanceof RowInvalid) {
      refused.push(request)
    } else {
      requests.push(request)
      asked.push(question)
    }
  }
  const answers = yield* answerRequests(model, requests)
  return { given: asked.map((question, at) => [question, answers[at]!] as const), refused }
})

/** A question and its expected answer; undefined where the sequence is too long. */
const expectedSample = (
  model: AnsweringModel,
  request: AnswerRequest,
  expected: string
): TrainingSample | undefined => {
  const { config, image, tokenizer } = model.directory
  const cut = tilesOf(model, request)
  const system = config.system_message
  const turns: readonly Turn[] = [
    ...(system === null ? [] : [{ from: "system", value: system } as const]),
    { from: "human", value: request.prompt },
    { from: "gpt", value: expected }
  ]
  const maxLength = config.llm_config.max_position_embeddings
  const options: EncodeOptions = { tokenizer, tokensPerTile: tokensPerTile(config), maxLength, spelledOut: "text" }
  const encoded = encodeConversation(
    turns,
    cut.map(({ count }) => count),
    options
  )
  if (Result.isFailure(encoded)) return undefined
  const tiles = joinTiles(cut, image.tileSize)
  const imageFlags = new Uint8Array(tiles.count).fill(1)
  return { ...encoded.success, tiles, imageFlags, answerTokens: 0 }
}

const batchOf = ({ image }: AnsweringModel["directory"], samples: readonly TrainingSample[]): MicroBatch => {
  const batch = collate(samples, { statistics: image.statistics })
  const tiles = samples.map((sample) => sample.tiles)
  return {
    ...batch,
    samples: [...samples.keys()],
    tilesOf: tiles.map(({ count }) => count),
    tileKeys: tiles.flatMap((each) => tileKeysOf(each, image.statistics)),
    made: [...samples.keys()],
    answerTokens: samples.map(({ answerTokens }) => answerTokens),
    cut: samples.map(({ cutOff }) => cutOff.length),
    substituted: []
  }
}

/** Divergence of `model` from another one, `original`, summed over the expected answers of some rows. */
export const divergenceOver = Effect.fnUntraced(function* (
  model: AnsweringModel,
  original: Pick<AnsweringModel, "directory" | "weights">,
  questions: readonly Question[]
) {
  const none: Divergence = { sum: 0, tokens: 0 }
  const samples = yield* Effect.forEach(
    questions,
    Effect.fnUntraced(function* (question) {
      const expected = answerOf(question.benchmark, question.row)
      return expected === undefined ? undefined : expectedSample(model, yield* requestFor(question), expected)
    })
  )
  const usable = samples.filter((sample) => sample !== undefined)
  if (usable.length === 0) return none
  const batch = batchOf(model.directory, usable)
  const { backend } = model
  return yield* computing(async () => {
    const see = async ({ directory, weights }: Pick<AnsweringModel, "directory" | "weights">) => {
      const features = await makeVisionFeatures({ backend, config: directory.config, weights, budget: 0 }).of(batch, 0)
      const hidden = noGrad(() => scope(() => hiddenStates({ backend, directory, weights, batch, features })))
      features?.release()
      return { hidden, weights, head: headLayerOf(directory.config.llm_config) }
    }
    const [teacher, student] = [await see(original), await see(model)]
    const divergence = await batchDivergence(batch, teacher, student)
    for (const { hidden } of [teacher, student]) hidden.release()
    return divergence
  })
})
