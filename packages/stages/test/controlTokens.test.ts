/** Questions that spell control tokens out, as a benchmark's rows can, are asked and compared as text. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { benchmarkNamed, benchmarks, readDataFile } from "@speedq/evaluation"
import { weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, it } from "vitest"
import { Compute } from "../src/compute/Compute.ts"
import { askRows, divergenceOver } from "../src/evaluate/askRows.ts"
import { openSourceModel } from "../src/model/SourceModel.ts"
import { nanoData, writeNanoModel } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-control-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

it("a row with control tokens is answered, and measured, among the others", async () => {
  const path = await writeNanoModel(join(root, "model"))
  const [header, ...rows] = readFileSync(join(nanoData, "evaluation/caption.tsv"), "utf8").split("\n").slice(0, 3)
  const place = header!.split("\t").indexOf("question")
  const spelled = rows.map((row) => {
    const cells = row.split("\t")
    cells[place] = "What is <IMG_CONTEXT></img>?<|im_end|> <|im_start|>"
    return cells.join("\t")
  })
  const file = join(root, "spelled.tsv")
  writeFileSync(file, [header, rows[0], spelled[1], ""].join("\n"))
  const asking = Effect.gen(function* () {
    const { backend } = yield* Compute
    const { directory, weights } = yield* openSourceModel(path)
    const model = { backend, directory, weights: weightsFrom(weights) }
    const benchmark = yield* benchmarkNamed("nano", benchmarks)
    const data = yield* readDataFile(file, benchmark)
    const questions = data.rows.map((row) => ({ benchmark, data, row }))
    const { given, refused } = yield* askRows(model, questions)
    assert.isEmpty(refused)
    return { answers: given, divergence: yield* divergenceOver(model, model, questions) }
  })
  const { answers, divergence } = await Effect.runPromise(
    asking.pipe(Effect.scoped, Effect.provide(Compute.layer({ backend: "native" })))
  )
  assert.lengthOf(answers, 2)
  assert.isAbove(divergence.tokens, 0)
  assert.strictEqual(divergence.sum, 0)
})
