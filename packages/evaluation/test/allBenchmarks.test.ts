import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { benchmarkNamed, benchmarks } from "../src/benchmarks/registry.ts"
import { readDataFile } from "../src/data/DataFile.ts"
import { readPredictions } from "../src/predictions/readPredictions.ts"
import { predictionFormats } from "../src/predictions/writePredictions.ts"
import { Answerer, type AnswerRequest } from "../src/run/Answerer.ts"
import { evaluate } from "../src/run/evaluate.ts"
import { score } from "../src/scoring/Score.ts"
import { fileIn, pngBase64, temporaryDirectory } from "./dataFiles.ts"
import { tinyBenchmarks, tinyTsv } from "./tinyBenchmarks.ts"

describe("every benchmark, from its data file to its number", () => {
  it("has a small data file here", () => {
    assert.deepStrictEqual(
      tinyBenchmarks.map(({ name }) => name),
      benchmarks.map(({ name }) => name)
    )
  })

  for (const tiny of tinyBenchmarks) {
    it.effect(tiny.name, () =>
      Effect.gen(function* () {
        const benchmark = yield* benchmarkNamed(tiny.name)
        const directory = yield* temporaryDirectory
        const data = fileIn(directory, `${tiny.name}.tsv`, tinyTsv(tiny, yield* Effect.promise(() => pngBase64(1))))
        const byIndex = new Map(tiny.rows.map((row) => [row.index, row]))
        const model = (name: string, says: (request: AnswerRequest) => string) =>
          Answerer.of({ model: name, answer: (request) => Effect.sync(() => says(request)) })
        const right = model("right", ({ index }) => tiny.right(byIndex.get(index)!))
        for (const format of predictionFormats) {
          const out = join(directory, format)
          const result = yield* evaluate(benchmark, { data, out, name: "right", format }).pipe(
            Effect.provideService(Answerer, right)
          )
          assert.strictEqual(result.score.overall, tiny.full, format)
          assert.strictEqual(result.score.counts.missing, 0)
          // The same file scored on its own gives the same, and so does the other matcher here.
          const { rows } = yield* readDataFile(data, benchmark, { purpose: "score" })
          const again = yield* score(benchmark, rows, yield* readPredictions(result.predictionsFile), {
            matcher: "head"
          })
          assert.deepStrictEqual({ ...again, matcher: result.score.matcher }, result.score)
        }
        const wrong = yield* evaluate(benchmark, { data, out: join(directory, "wrong"), name: "wrong" }).pipe(
          Effect.provideService(
            Answerer,
            model("wrong", () => tiny.wrong)
          )
        )
        assert.strictEqual(wrong.score.overall, 0)
      })
    )
  }
})
