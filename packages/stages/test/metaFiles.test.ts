/** Plans read meta files as training does: what is wrong with one is a problem with file and key, told before any work. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Preflight, Recipe } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { stages } from "../src/registry/stages.ts"
import { nanoData, shortStages, writeNanoModel } from "./support/nano.ts"
import { asZstandard } from "./support/zstandard.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-meta-"))
let model: string
beforeAll(async () => {
  model = await writeNanoModel(join(root, "model"))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const problemsWith = (stage: object) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const recipe = yield* Recipe.decode(stages, { version: 1, name: "meta", model, stages: [stage] })
      return (yield* Preflight.plan(recipe, join(root, "none"), { time: false })).problems
    }).pipe(Effect.provide(NodeServices.layer))
  )

describe("a plan", () => {
  const entry = { root: nanoData, annotation: join(nanoData, "train.jsonl"), length: 2000 }
  const meta = join(root, "meta.json")
  const using = [
    { ...shortStages.qat, data: { meta } },
    { ...shortStages.autoclip, calibration: { meta } }
  ]

  it("takes a meta file with a byte order mark", async () => {
    writeFileSync(meta, `\ufeff${JSON.stringify({ nano: entry })}`)
    for (const stage of using) assert.deepStrictEqual(await problemsWith(stage), [])
  })

  it("reads an annotation file that did not change no second time", async () => {
    const compressed = join(root, "mini.jsonl.zst")
    writeFileSync(compressed, asZstandard(readFileSync(join(nanoData, "train.jsonl"), "utf8")))
    writeFileSync(meta, JSON.stringify({ nano: { ...entry, annotation: compressed } }))
    assert.deepStrictEqual(await problemsWith(using[0]!), [])
    const temporary = process.env.TMPDIR
    // Where no copy can be made, the file cannot be read again.
    process.env.TMPDIR = join(root, "nowhere")
    try {
      assert.deepStrictEqual(await problemsWith(using[0]!), [])
      appendFileSync(compressed, asZstandard("{}\n"))
      assert.match((await problemsWith(using[0]!))[0]!.issue, /nowhere/)
    } finally {
      if (temporary === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = temporary
    }
  })

  it("says what is wrong with a meta file, in one problem", async () => {
    const { annotation, ...without } = entry
    const cases: ReadonlyArray<readonly [string, RegExp]> = [
      [JSON.stringify({ nano: without }), /meta\.json: data set "nano": annotation: Missing key; correct that/],
      [JSON.stringify([entry]), /meta\.json: it is a list; the meta file is one object/],
      [`{"nano": ${JSON.stringify(entry)},}`, /meta\.json: not JSON: line 1 has a comma before a closing bracket/],
      ['{"conversations":[]}\n{"conversations":[]}\n', /meta\.json: it holds records, one a line/]
    ]
    for (const [content, message] of cases) {
      writeFileSync(meta, content)
      for (const stage of using) {
        const problems = await problemsWith(stage)
        assert.strictEqual(problems.length, 1)
        assert.match(problems[0]!.issue, message)
      }
    }
  })
})
