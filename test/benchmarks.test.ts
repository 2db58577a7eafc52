/** All nine benchmarks and nano, in their own formats, asked of a nano model from the data file to the score. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  Answerer,
  AnswerFailed,
  type AnswerRequest,
  benchmarkNamed,
  benchmarks,
  type EvaluateOptions,
  evaluate,
  readDataFile,
  readPredictions,
  type Score,
  score
} from "@speedq/evaluation"
import { answerRequests, modelAnswerer, openAnsweringModel } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type TinyBenchmark, tinyBenchmarks, tinyTsv } from "../packages/evaluation/test/tinyBenchmarks.ts"
import { makeNanoRuns, nanoData, writeNanoModel } from "../packages/stages/test/support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-benchmarks-"))
const { runtime, dispose } = makeNanoRuns()
let model: string
beforeAll(async () => {
  model = await writeNanoModel(join(root, "model"), 5)
})
afterAll(async () => {
  await dispose()
  rmSync(root, { recursive: true, force: true })
})

const picture = (index: number): string =>
  readFileSync(join(nanoData, "images", `${String(index).padStart(4, "0")}.png`)).toString("base64")
const pictures = [picture(1), picture(2), picture(3)] as const

/**
 * What the random model says to a row decides whether the row is answered rightly: a score then depends on every token.
 * `stopAfter` makes it fail after so many rows.
 */
const deciding =
  (inner: (typeof Answerer)["Service"], { rows, right, wrong }: TinyBenchmark) =>
  (stopAfter = Number.POSITIVE_INFINITY) => {
    const byIndex = new Map(rows.map((row) => [row.index, row]))
    const said = new Map<AnswerRequest, string>()
    // Rows that are asked at the same time count when they begin.
    let begun = 0
    const answer = Effect.fnUntraced(function* (asked: AnswerRequest) {
      if (begun++ >= stopAfter) return yield* new AnswerFailed({ reason: "stopped" })
      const request = { ...asked, generation: { ...asked.generation, maxNewTokens: 6 } }
      const text = yield* inner.answer(request)
      said.set(request, text)
      const sum = Array.from(text).reduce((all, character) => all + character.codePointAt(0)!, 0)
      return sum % 3 === 0 ? wrong : right(byIndex.get(request.index)!)
    })
    return { service: Answerer.of({ model: inner.model, answer }), said }
  }

/** What of a score must not depend on the order of work. */
const numbers = ({ overall, reported, splits, categories, counts, rows }: Score) => ({
  ...{ overall, reported, splits, categories, counts },
  rows: rows.map((row) => JSON.stringify(row)).sort()
})

/** The data file with its rows in another order, each with the picture that it had. */
const dataFile = (tiny: TinyBenchmark, order: readonly number[]): string => {
  const [header, ...lines] = tinyTsv(tiny, ...pictures)
    .trimEnd()
    .split("\n")
  return [header, ...order.map((i) => lines[i]), ""].join("\n")
}

describe("every benchmark on a nano model", () => {
  it("has a small data file", () => {
    assert.deepStrictEqual(
      tinyBenchmarks.map(({ name }) => name),
      benchmarks.map(({ name }) => name)
    )
  })

  for (const tiny of tinyBenchmarks) {
    it(`${tiny.name}: the same score however the rows are ordered, stopped at, asked together, and stored`, async () => {
      const program = Effect.gen(function* () {
        const benchmark = yield* benchmarkNamed(tiny.name)
        const opened = yield* openAnsweringModel(model)
        const answerer = deciding(modelAnswerer(opened, "nano"), tiny)
        const inOrder = tiny.rows.map((_, i) => i)
        const run = (
          place: string,
          order: readonly number[],
          stops: readonly number[],
          more: Partial<EvaluateOptions>
        ) =>
          Effect.gen(function* () {
            const out = join(root, tiny.name, place)
            const data = join(root, `${tiny.name}-${place}.tsv`)
            writeFileSync(data, dataFile(tiny, order))
            const options: EvaluateOptions = { data, out, name: "nano", ...more }
            for (const stop of stops) {
              const { service } = answerer(stop)
              const ended = evaluate(benchmark, options).pipe(Effect.provideService(Answerer, service), Effect.flip)
              assert.strictEqual((yield* ended)._tag, "RowNotAnswered")
            }
            const { service, said } = answerer()
            const evaluated = yield* evaluate(benchmark, options).pipe(Effect.provideService(Answerer, service))
            return { ...evaluated, said, data }
          })

        const straight = yield* run("straight", inOrder, [], { format: "tsv" })
        assert.strictEqual(straight.said.size, tiny.rows.length)
        // A model that says the same to everything would prove nothing about what it was shown.
        assert.isAbove(new Set(straight.said.values()).size, 1)
        // A batch of all rows, as a recipe's evaluation asks them, gives every row the answer that it gets alone.
        const together = yield* answerRequests(opened, [...straight.said.keys()])
        assert.deepStrictEqual(together, [...straight.said.values()])
        assert.strictEqual(straight.score.counts.answered, tiny.rows.length)
        assert.isTrue(existsSync(straight.scoreFile))

        const { rows } = yield* readDataFile(straight.data, benchmark, { purpose: "score" })
        const again = yield* score(benchmark, rows, yield* readPredictions(straight.predictionsFile))
        assert.deepStrictEqual(numbers(again), numbers(straight.score))

        const arbitrary = fc.record({
          order: fc.shuffledSubarray(inOrder, { minLength: inOrder.length }),
          stop: fc.integer({ min: 1, max: tiny.rows.length - 1 }),
          concurrency: fc.integer({ min: 1, max: 3 }),
          format: fc.constantFrom("xlsx" as const, "json" as const, "tsv" as const)
        })
        for (const [i, { order, stop, ...more }] of fc.sample(arbitrary, { seed: 17, numRuns: 3 }).entries()) {
          const other = yield* run(`other-${i}`, order, [stop], more)
          assert.deepStrictEqual(numbers(other.score), numbers(straight.score))
        }
      }).pipe(Effect.scoped)
      await runtime.runPromise(program)
    })
  }
})
