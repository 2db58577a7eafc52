/** Shards of an evaluation: together they write the bytes of one process. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { mmStar } from "../src/benchmarks/MmStar.ts"
import { AnswersDiffer, JournalDamaged, JournalMismatch, RowsMissing } from "../src/Errors.ts"
import { Answerer } from "../src/run/Answerer.ts"
import { evaluate } from "../src/run/evaluate.ts"
import type { Progress } from "../src/run/Progress.ts"
import type { EvaluateOptions } from "../src/run/questions.ts"
import { evaluateShard, mergeShards } from "../src/run/shards.ts"
import { fileIn, pngBase64, temporaryDirectory, tsvOf } from "./dataFiles.ts"

const header = ["index", "image", "question", "A", "B", "answer", "category"]
const count = 8

const setUp = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const image = yield* Effect.promise(() => pngBase64(1, 5, 7))
  const rows = Array.from({ length: count }, (_, i) => [
    `${i + 1}`,
    image,
    `q ${i}`,
    "cat",
    "dog",
    i % 2 ? "A" : "B",
    "c"
  ])
  const data = fileIn(directory, "MMStar.tsv", tsvOf(header, rows))
  const optionsFor = (out: string): EvaluateOptions => ({ data, out: join(directory, out), name: "m", format: "tsv" })
  return { directory, data, optionsFor }
})

const asked: string[] = []
/** Answers by the row, so that rows cannot be exchanged. */
const model = (name = "model-1") =>
  Answerer.of({
    model: name,
    answer: ({ index }) =>
      Effect.sync(() => {
        asked.push(index)
        return Number(index) % 3 === 0 ? "A" : "B"
      })
  })
const asking = Effect.provideService(Answerer, model())

const shardsOf = Effect.fnUntraced(function* (optionsFor: (out: string) => EvaluateOptions, shards: number) {
  const journals: string[] = []
  for (let index = 1; index <= shards; index++) {
    const done = yield* evaluateShard(mmStar, { index, count: shards }, optionsFor(`shard-${index}`)).pipe(asking)
    assert.strictEqual(done.rows, count)
    journals.push(done.journalFile)
  }
  return journals as [string, ...string[]]
})

describe("shards", () => {
  for (const shards of [1, 3, 20]) {
    it.effect(`${shards} ask every row once, and merge to the bytes of one process`, () =>
      Effect.gen(function* () {
        const { optionsFor } = yield* setUp
        const whole = yield* evaluate(mmStar, optionsFor("whole")).pipe(asking)
        asked.length = 0
        const journals = yield* shardsOf(optionsFor, shards)
        assert.deepStrictEqual(
          asked.toSorted(),
          Array.from({ length: count }, (_, i) => `${i + 1}`)
        )
        asked.length = 0
        const merged = yield* mergeShards(mmStar, { ...optionsFor("merged"), journals })
        assert.deepStrictEqual(asked, [])
        assert.deepStrictEqual(merged.score, whole.score)
        for (const file of ["predictionsFile", "scoreFile", "resultFile", "journalFile"] as const) {
          assert.deepStrictEqual(readFileSync(merged[file]), readFileSync(whole[file]), file)
        }
        // Merged again, and continued by a process, it stays as it is.
        yield* mergeShards(mmStar, { ...optionsFor("merged"), journals })
        yield* evaluate(mmStar, optionsFor("merged")).pipe(asking)
        assert.deepStrictEqual(asked, [])
        assert.deepStrictEqual(readFileSync(merged.journalFile), readFileSync(whole.journalFile))
      })
    )
  }

  it.effect("continue where they stopped", () =>
    Effect.gen(function* () {
      const { optionsFor } = yield* setUp
      yield* shardsOf(optionsFor, 2)
      asked.length = 0
      yield* shardsOf(optionsFor, 2)
      assert.deepStrictEqual(asked, [])
    })
  )

  it.effect("are refused where two answer a row differently, or one and what was merged before", () =>
    Effect.gen(function* () {
      const { optionsFor } = yield* setUp
      const journals = yield* shardsOf(optionsFor, 2)
      const other = Answerer.of({ model: "model-1", answer: () => Effect.succeed("neither") })
      const theirs = yield* evaluateShard(mmStar, { index: 2, count: 2 }, optionsFor("other")).pipe(
        Effect.provideService(Answerer, other)
      )
      const two = yield* Effect.flip(
        mergeShards(mmStar, { ...optionsFor("merged"), journals: [...journals, theirs.journalFile] })
      )
      assert.instanceOf(two, AnswersDiffer)
      assert.match(two.message, /shard-2.* and .*other.* have different answers to row 2; leave one of them out/)
      yield* mergeShards(mmStar, { ...optionsFor("merged"), journals })
      const late = yield* Effect.flip(
        mergeShards(mmStar, { ...optionsFor("merged"), journals: [journals[0], theirs.journalFile] })
      )
      assert.instanceOf(late, AnswersDiffer)
      assert.match(late.message, /merged.* and .*other.* have different answers to row 2/)
    })
  )

  it.effect("are refused where one is missing, of another model, other settings, or no journal", () =>
    Effect.gen(function* () {
      const { directory, optionsFor } = yield* setUp
      const [first, second, third] = (yield* shardsOf(optionsFor, 3)) as [string, string, string]
      const merging = (journals: readonly [string, ...string[]], more: object = {}) =>
        Effect.flip(mergeShards(mmStar, { ...optionsFor("merged"), journals, ...more }))
      const missing = yield* merging([first, third])
      assert.instanceOf(missing, RowsMissing)
      assert.match(missing.message, /3 of 8 rows have no answer in these journals: index 2, 5, 8; give the journals/)
      const theirs = yield* evaluateShard(mmStar, { index: 2, count: 3 }, optionsFor("other")).pipe(
        Effect.provideService(Answerer, model("model-2"))
      )
      const foreign = yield* merging([first, theirs.journalFile, third])
      assert.instanceOf(foreign, JournalMismatch)
      assert.match(foreign.message, /written for model model-2, but this run has model-1/)
      assert.instanceOf(yield* merging([first, second, third], { imageStore: "jpeg75" }), JournalMismatch)
      const text = join(directory, "notes.txt")
      writeFileSync(text, "nothing\nof it\n")
      assert.instanceOf(yield* merging([text, first]), JournalDamaged)
      // A first line that was torn is followed by another: what came after it is whole.
      writeFileSync(first, `{"journal":"speedq-eval\n${readFileSync(first, "utf8")}`)
      const told: Progress[] = []
      const onProgress = (event: Progress) => Effect.sync(() => void told.push(event))
      yield* mergeShards(mmStar, { ...optionsFor("merged"), journals: [first, second, third], onProgress })
      assert.deepInclude(told, { _tag: "JournalDamaged", file: first, lines: 1 })
      assert.instanceOf(yield* merging([first, text]), JournalDamaged)
    })
  )
})
