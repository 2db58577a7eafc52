/** Records that change while a stage calibrates on them: what was done is kept where none of it used what changed, and only there. */
import { copyFileSync, readFileSync, truncateSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { RunEvents, stageSeed } from "@speedq/pipeline"
import { PythonRandom, selectLines } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { epochOrder } from "../src/data/SampleOrder.ts"
import { pictureRecord, withoutLine, writeOwnData } from "./support/miniData.ts"
import { eventsOfKind, makeNanoRuns, nanoData, type Recording, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("calibrated-data", runs)

const [count, taken, seed] = [12, 4, 4]
const { adaroundLanguage, blockwise, adaround, autoclip } = shortStages
const { quantizers } = adaround
const decoder = [{ ...quantizers[0], tower: "language" }]

const kinds = [
  { ...adaroundLanguage, documents: taken, iterations: 2 },
  { ...blockwise, documents: taken, epochs: 1 },
  { ...autoclip, documents: taken, sampleTokens: 16 },
  { use: "gptq", samples: taken, quantizers: decoder },
  { use: "awq", samples: taken, steps: 2, quantizers },
  {
    ...{ use: "allocate-bits", records: taken, budget: "3.5 bits" },
    candidates: [decoder, [{ match: "**", tower: "language", use: "uniform", with: { bits: 4, group: 16 } }]]
  }
]

const succeeded = (recording: Recording): Recording => {
  if (Exit.isFailure(recording.exit)) throw Cause.squash(recording.exit.cause)
  return recording
}
const selected = selectLines(count, 1, 100, new PythonRandom(seed))
const startOf = ({ entries }: Recording) => eventsOfKind(RunEvents.StageStarted, entries).map(({ from }) => from)
const touch = (file: string) => utimesSync(file, new Date(), new Date())

describe.each(kinds)("$use", (stage) => {
  const place = `01-${stage.use}`
  /** Lines in the order in which the stage reads them. */
  const order = epochOrder({ count, batch: 1, accumulation: 1, seed: stageSeed(seed, stage.use) }, 0).map(
    ([[sample]]) => selected[sample!]! + 1
  )
  const [used, spare] = [order.slice(0, taken), order.slice(taken)]

  const begin = (name: string) => {
    const data = writeOwnData(join(root, `${stage.use}-${name}`), count)
    const records = { meta: data.meta, onError: "substitute" }
    const named = stage.use === "allocate-bits" ? { data: records } : { calibration: records }
    const recipe = {
      ...{ version: 1, name: "calibrated", model, seed, save: { everySteps: 1 } },
      stages: [{ ...stage, ...named }]
    }
    return {
      data,
      run: async () => succeeded(await runs.run(recipe, data.run)),
      stop: (step: number) => runs.run(recipe, data.run, { stage: place, step }),
      artefacts: () =>
        Object.fromEntries(
          Object.entries(resultsOf(data.run)).filter(([file]) => /(?<!by-products)\.safetensors$/.test(file))
        ),
      report: () => readFileSync(join(data.run, "stages", place, "report.json"), "utf8")
    }
  }

  it("goes on to the same bytes when a record is dropped that it does not use, and stands when it is finished", async () => {
    const whole = begin("whole")
    await whole.run()
    const { data, run, stop, artefacts } = begin("dropped")
    await stop(3)
    withoutLine(data.annotation, Math.max(...spare))
    assert.deepStrictEqual(startOf(await run()), [3])
    assert.deepStrictEqual(artefacts(), whole.artefacts())
    const other = [...spare].sort((a, b) => b - a)[1]!
    withoutLine(data.annotation, other)
    const again = await run()
    assert.deepStrictEqual(startOf(again), [])
    assert.match(eventsOfKind(RunEvents.DataChanged, again.entries)[0]!.detail, /its result stands$/)
  })

  it("starts again when a record that it used is changed", async () => {
    const { data, run, stop } = begin("used")
    await stop(3)
    touch(data.picture(used[1]!))
    assert.deepStrictEqual(startOf(await run()), [0])
    touch(data.picture(used[2]!))
    assert.deepStrictEqual(startOf(await run()), [0])
  })

  it("goes on when a record is dropped that another took the place of: the same one does", async () => {
    const [whole, killed] = [begin("replaced"), begin("replaced-dropped")]
    for (const { data } of [whole, killed]) truncateSync(data.picture(used[1]!), 60)
    await whole.run()
    await killed.stop(3)
    withoutLine(killed.data.annotation, used[1]!)
    assert.deepStrictEqual(startOf(await killed.run()), [3])
    assert.deepStrictEqual(killed.artefacts(), whole.artefacts())
    assert.include(killed.report(), `mini.jsonl:${used[1]}`)
  })

  it("goes on when a record is repaired that another took the place of, and has used both", async () => {
    const { data, run, stop, report } = begin("repaired")
    // One whose place is taken by a record that is not among those anyway.
    const line = used[stage.use === "autoclip" ? 1 : 0]!
    truncateSync(data.picture(line), 60)
    await stop(3)
    copyFileSync(join(nanoData, pictureRecord(line).image!), data.picture(line))
    assert.deepStrictEqual(startOf(await run()), [3])
    const [, by] = new RegExp(`mini\\.jsonl:${line}".*?mini\\.jsonl:(\\d+)"`, "s").exec(report())!
    assert.notInclude(used, Number(by))
    assert.deepStrictEqual(startOf(await run()), [])
    touch(data.picture(Number(by)))
    assert.deepStrictEqual(startOf(await run()), [0])
    // The clipping search saves what it read, and never reads it again.
    const { data: other, ...second } = begin("repaired-used")
    truncateSync(other.picture(line), 60)
    await second.stop(3)
    copyFileSync(join(nanoData, pictureRecord(line).image!), other.picture(line))
    await second.run()
    touch(other.picture(line))
    assert.deepStrictEqual(startOf(await second.run()), stage.use === "autoclip" ? [] : [0])
  })
})
