/** What the shipped teacher knows: every type of question that the shipped evaluation sets ask. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Answerer, benchmarkNamed, evaluate, readDataFile } from "@speedq/evaluation"
import { askRows, modelAnswerer, openAnsweringModel } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { evaluatedTypes } from "../data/nano/generator/index.ts"
import { tinyBenchmarks, tinyTsv } from "../packages/evaluation/test/tinyBenchmarks.ts"
import { makeNanoRuns, nanoData } from "../packages/stages/test/support/nano.ts"

const { runtime, dispose } = makeNanoRuns()
const root = mkdtempSync(join(tmpdir(), "speedq-teacher-"))
afterAll(async () => {
  await dispose()
  rmSync(root, { recursive: true, force: true })
})

const teacher = join(nanoData, "model")
const picture = (index: number): string => readFileSync(join(nanoData, "images", `000${index}.png`)).toString("base64")

/** Share of rows answered exactly, by the columns `category` and `l2-category`. */
const accuracies = Effect.fnUntraced(function* (file: string) {
  const benchmark = yield* benchmarkNamed("nano")
  const data = yield* readDataFile(join(nanoData, "evaluation", file), benchmark, { purpose: "ask" })
  const model = yield* openAnsweringModel(teacher)
  const counts = new Map<string, { right: number; all: number }>()
  for (let start = 0; start < data.rows.length; start += 64) {
    const rows = data.rows.slice(start, start + 64)
    const { given } = yield* askRows(
      model,
      rows.map((row) => ({ benchmark, data, row }))
    )
    assert.strictEqual(given.length, rows.length)
    for (const [{ row }, answer] of given) {
      const { cells } = row
      const key = `${cells.get("category")} ${cells.get("l2-category")}`
      const count = counts.get(key) ?? { right: 0, all: 0 }
      counts.set(key, { right: count.right + Number(answer === cells.get("answer")), all: count.all + 1 })
    }
  }
  return new Map([...counts].map(([key, { right, all }]) => [key, right / all]))
}, Effect.scoped)

describe("the nano teacher", () => {
  it("answers at least 90 % of every type of short question, in both languages", async () => {
    const found = await runtime.runPromise(accuracies("short.tsv"))
    assert.deepStrictEqual(
      [...found.keys()].sort(),
      evaluatedTypes.flatMap((type) => [`${type} en`, `${type} zh`]).sort()
    )
    for (const [type, share] of found) assert.isAtLeast(share, 0.9, type)
  })

  it("writes at least 80 % of the captions exactly", async () => {
    const found = await runtime.runPromise(accuracies("caption.tsv"))
    assert.deepStrictEqual([...found.keys()].sort(), ["caption en", "caption zh"])
    for (const [type, share] of found) assert.isAtLeast(share, 0.8, type)
  })

  it("is asked and scored in the format of every benchmark", async () => {
    const program = Effect.gen(function* () {
      const service = modelAnswerer(yield* openAnsweringModel(teacher), "nano teacher")
      for (const tiny of tinyBenchmarks) {
        const data = join(root, `${tiny.name}.tsv`)
        writeFileSync(data, tinyTsv(tiny, picture(1), picture(2), picture(3)))
        const options = { data, out: join(root, tiny.name), name: "teacher" }
        const { score } = yield* evaluate(yield* benchmarkNamed(tiny.name), options).pipe(
          Effect.provideService(Answerer, service)
        )
        assert.strictEqual(score.counts.answered, tiny.rows.length, tiny.name)
        assert.isTrue(Number.isFinite(score.overall), tiny.name)
      }
    }).pipe(Effect.scoped)
    await runtime.runPromise(program)
  })
})
