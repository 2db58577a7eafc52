/** How much of an evaluation the rows of its benchmarks take: some of them, with their pictures decoded. */
import { answerOf, requestOf } from "@speedq/evaluation"
import {
  encodeSequence,
  generationPrompt,
  imageTileCount,
  type ModelDirectory,
  openModelDirectory,
  tokensPerTile
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { fileDigest } from "../data/fileDigest.ts"
import { type Asked, type BenchmarkChoice, openBenchmark } from "./askedRows.ts"
import { isSpread } from "./gallery.ts"

/** What a row takes: tiles of its pictures, tokens of the prompt, tokens of the answer. */
interface RowExtent {
  readonly tiles: number
  readonly prompt: number
  readonly answer: number
}

/** Rows of a benchmark, as long as these. */
export interface RowsExtent {
  readonly count: number
  readonly like: readonly RowExtent[]
}

/** Rows of a benchmark that are looked at, spread over it. */
const lookedAt = 4

/** Tokens of an answer where the file expects none. */
const typicalAnswer = 16

const extentOf = Effect.fnUntraced(function* (
  { config, image, tokenizer }: ModelDirectory,
  { benchmark, data }: Asked,
  row: Asked["rows"][number]
) {
  const { images, prompt, maxTiles, upscaleFirst2x, generation } = yield* requestOf(benchmark, data, row)
  const tilesPerImage = images.map(({ width, height }, at) => {
    const scale = upscaleFirst2x && at === 0 ? 2 : 1
    return imageTileCount({ width: scale * width, height: scale * height }, image, maxTiles)
  })
  const rendered = yield* generationPrompt({
    question: prompt,
    tilesPerImage,
    tokensPerTile: tokensPerTile(config),
    systemMessage: config.system_message
  })
  const expected = answerOf(benchmark, row)
  const answer = expected === undefined ? typicalAnswer : tokenizer.encode(expected).length
  const extent: RowExtent = {
    tiles: tilesPerImage.reduce((sum, count) => sum + count, 0),
    prompt: encodeSequence(tokenizer, rendered).length,
    // And the token that ends it.
    answer: Math.min(answer + 1, generation.maxNewTokens)
  }
  return extent
})

/** Benchmarks that were looked at: those of several evaluations are looked at once. */
const known = new Map<string, RowsExtent>()

/** What the rows of a benchmark take. Answers are taken to be as long as those that the file expects. */
export const rowsExtent = Effect.fnUntraced(function* (model: string, choice: BenchmarkChoice) {
  const digest = yield* Effect.tryPromise(() => fileDigest(choice.data))
  const key = JSON.stringify([model, choice, digest])
  const before = known.get(key)
  if (before !== undefined) return before
  const directory = yield* openModelDirectory(model)
  const asked = yield* openBenchmark(choice)
  const { rows } = asked
  const some = rows.filter((_, at) => isSpread(at, rows.length, lookedAt))
  const like = yield* Effect.forEach(some, (row) => extentOf(directory, asked, row))
  const extent: RowsExtent = { count: rows.length, like }
  known.set(key, extent)
  return extent
})
