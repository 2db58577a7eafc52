/** Data that changes while a run goes on: what was done is kept where none of it used what changed, and only there. */
import { copyFileSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { RunEvents, StageFailed, stageSeed } from "@speedq/pipeline"
import { encodePng, PythonRandom, selectLines } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, beforeAll, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { epochOrder } from "../src/data/SampleOrder.ts"
import { pictureRecord, withoutLine, writeOwnData } from "./support/miniData.ts"
import { eventsOfKind, makeNanoRuns, nanoData, type Recording, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("changed-data", runs)

const count = 12

const ownData = (name: string) => writeOwnData(join(root, name), count)
type Data = ReturnType<typeof ownData>

const recipe = ({ meta }: Data, data: object = {}, more: object = {}) => ({
  ...{ version: 1, name: "changed", model, seed: 4, save: { everySteps: 100 } },
  stages: [
    {
      ...shortStages.qat,
      ...{ data: { meta, ...data }, batch: 1, accumulation: 1, maxSteps: 8, loss: { confidence: 0.5 } },
      ...more
    }
  ]
})

const succeeded = (recording: Recording): Recording => {
  if (Exit.isFailure(recording.exit)) throw Cause.squash(recording.exit.cause)
  return recording
}
const failureOf = ({ exit }: Recording): StageFailed => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, StageFailed)
  return error
}
const startOf = ({ entries }: Recording) => eventsOfKind(RunEvents.StageStarted, entries).map(({ from }) => from)
const artefacts = (directory: string) =>
  Object.fromEntries(
    Object.entries(resultsOf(directory)).filter(([file]) => /(projector|Language)\.safetensors$/.test(file))
  )
const reportOf = (directory: string) => readFileSync(join(directory, "stages/01-qat/report.json"), "utf8")
const linesOf = (text: string): readonly number[] =>
  [...text.matchAll(/mini\.jsonl:(\d+)/g)].map(([, line]) => Number(line))

/** The lines in the order in which steps use them: each is cut off in its turn, and its step stops. */
let order: readonly number[]
beforeAll(async () => {
  const steps = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const data = ownData(`order-${n}`)
      truncateSync(data.picture(n + 1), 60)
      const { exit } = await runs.run(recipe(data), data.run)
      return Exit.isFailure(exit) ? failureOf({ exit, entries: [] }).step : undefined
    })
  )
  order = Array.from({ length: 8 }, (_, step) => steps.indexOf(step) + 1)
  assert.notInclude(order, 0)
})

/** A run that stopped at step 5 because of a picture that is cut off. */
const stopped = async (name: string) => {
  const data = ownData(name)
  const line = order[5]!
  truncateSync(data.picture(line), 60)
  const recording = await runs.run(recipe(data), data.run)
  return { data, line, error: failureOf(recording) }
}

describe("a stage that a record stops", () => {
  it("is saved after its last finished step, and says so", async () => {
    const { data, line, error } = await stopped("saved")
    assert.deepInclude({ ...error }, { step: 5, steps: 8, saved: 5 })
    assert.include(error.message, `${data.annotation}:${line}: sample rejected`)
    assert.match(error.message, /Step 5 is saved: the same command continues after it\.$/)
  })

  it("goes on there with another onError, to the bits of a run that had it from the start", async () => {
    const { data, line } = await stopped("substituted")
    const substitute = recipe(data, { onError: "substitute" })
    assert.deepStrictEqual(startOf(succeeded(await runs.run(substitute, data.run))), [5])
    const whole = join(root, "substituted-whole")
    succeeded(await runs.run(substitute, whole))
    assert.deepStrictEqual(resultsOf(data.run), resultsOf(whole))
    const report = reportOf(data.run)
    assert.match(report, /8 samples of .*mini\.json: 8 to learn from/)
    assert.match(report, /1 times a record could not be used and another took its place/)
    assert.strictEqual(linesOf(report)[0], line)
    assert.isAbove(linesOf(report)[1]!, 0)
  })

  it("goes on there when pictures that are cut off are loaded, to the bits of a run that loaded them from the start", async () => {
    const data = ownData("loaded")
    const cut = data.picture(order[5]!)
    truncateSync(cut, Math.floor(0.6 * statSync(cut).size))
    assert.deepInclude({ ...failureOf(await runs.run(recipe(data), data.run)) }, { step: 5, saved: 5 })
    const load = recipe(data, { images: { truncated: "load" } })
    const continued = succeeded(await runs.run(load, data.run))
    assert.deepStrictEqual(startOf(continued), [5])
    assert.match(
      eventsOfKind(RunEvents.DataChanged, continued.entries)[0]!.detail,
      /^pictures that were refused are read/
    )
    const whole = join(root, "loaded-whole")
    succeeded(await runs.run(load, whole))
    assert.deepStrictEqual(artefacts(data.run), artefacts(whole))
    // Back again, steps may have used what is refused then.
    assert.deepStrictEqual(startOf(await runs.run(recipe(data, { onError: "substitute" }), data.run)), [0])
  })

  it("starts again when pictures are loaded in whose places it had used others", async () => {
    const { data } = await stopped("replaced")
    const substitute = recipe(data, { onError: "substitute" })
    await runs.run(substitute, data.run, { stage: "01-qat", step: 7 })
    const load = recipe(data, { onError: "substitute", images: { truncated: "load" } })
    assert.deepStrictEqual(startOf(succeeded(await runs.run(load, data.run))), [0])
  })

  it("goes on when a limit is raised that no picture so far exceeded", async () => {
    const data = ownData("large")
    const line = order[5]!
    const [width, height] = [400, 300]
    const pixels = new Uint8Array(3 * width * height).fill(90)
    writeFileSync(data.picture(line), await Effect.runPromise(encodePng({ width, height, data: pixels }, width)))
    const limited = (maxPixels: number) => recipe(data, { onError: "substitute", images: { maxPixels } })
    await runs.run(limited(100_000), data.run, { stage: "01-qat", step: 3 })
    assert.deepStrictEqual(startOf(succeeded(await runs.run(limited(120_000), data.run))), [3])
    const whole = join(root, "large-whole")
    succeeded(await runs.run(limited(120_000), whole))
    assert.deepStrictEqual(artefacts(data.run), artefacts(whole))
  })

  it("goes on there when the record is dropped, and says what took its place; the result then stands", async () => {
    const { data, line } = await stopped("dropped")
    withoutLine(data.annotation, line)
    // Killed and continued again, to the same bits.
    const interrupted = await runs.run(recipe(data), data.run, { stage: "01-qat", step: 7 })
    assert.deepStrictEqual(startOf(interrupted), [5])
    assert.match(eventsOfKind(RunEvents.DataChanged, interrupted.entries)[0]!.detail, /^1 of the samples/)
    assert.deepStrictEqual(startOf(succeeded(await runs.run(recipe(data), data.run))), [7])
    const again = await runs.run(recipe(data), data.run)
    assert.strictEqual(eventsOfKind(RunEvents.StageReused, succeeded(again).entries).length, 1)

    const { data: other } = await stopped("dropped-in-one-go")
    withoutLine(other.annotation, line)
    succeeded(await runs.run(recipe(other), other.run))
    assert.deepStrictEqual(artefacts(data.run), artefacts(other.run))
    const report = reportOf(data.run)
    assert.include(report, `mini.jsonl:${line} (as it was)`)
    assert.include(report, "the record is no longer in the file")
    // A drop is what a substitution is: the same record takes the place.
    assert.deepStrictEqual(artefacts(data.run), artefacts(join(root, "substituted-whole")))
    const { manifest } = JSON.parse(readFileSync(join(data.run, "stages/01-qat/manifest.json"), "utf8"))
    assert.deepStrictEqual(
      manifest.parts.before.map(({ steps }: { steps: number }) => steps),
      [5]
    )
    assert.include(readFileSync(join(data.run, "report.html"), "utf8"), "its data changed")
  })

  it("goes on there when the picture is repaired, to the bits of a run on good data", async () => {
    const { data, line } = await stopped("repaired")
    copyFileSync(join(nanoData, pictureRecord(line).image!), data.picture(line))
    assert.deepStrictEqual(startOf(succeeded(await runs.run(recipe(data), data.run))), [5])
    const good = ownData("good")
    succeeded(await runs.run(recipe(good), good.run))
    assert.deepStrictEqual(artefacts(data.run), artefacts(good.run))
  })

  it("starts again when a record that it used is gone or changed, or one was added", async () => {
    const changes = {
      dropped: ({ annotation }: Data) => withoutLine(annotation, order[2]!),
      added: ({ annotation }: Data) =>
        writeFileSync(
          annotation,
          `${readFileSync(annotation, "utf8")}\n{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}`
        ),
      touched: ({ picture }: Data) => utimesSync(picture(order[2]!), new Date(), new Date())
    }
    for (const [name, change] of Object.entries(changes)) {
      const { data, line } = await stopped(`used-${name}`)
      change(data)
      copyFileSync(join(nanoData, pictureRecord(line).image!), data.picture(line))
      const recording = succeeded(await runs.run(recipe(data), data.run))
      assert.deepStrictEqual(startOf(recording), [0], name)
      const [superseded] = eventsOfKind(RunEvents.StageSuperseded, recording.entries)
      assert.deepStrictEqual(
        superseded?.changes.map(({ field }) => field),
        ["data"]
      )
    }
  })
})

describe("a stage that went on with other data", () => {
  it("keeps to what it went on with: another picture may change, but not the repaired one, nor become what it was", async () => {
    const { data, line } = await stopped("went-on")
    const broken = readFileSync(data.picture(line))
    const { atime, mtime } = statSync(data.picture(line))
    copyFileSync(join(nanoData, pictureRecord(line).image!), data.picture(line))
    succeeded(await runs.run(recipe(data), data.run))
    const spare = Array.from({ length: count }, (_, n) => n + 1).find((other) => !order.includes(other))!
    utimesSync(data.picture(spare), new Date(), new Date())
    assert.deepStrictEqual(startOf(succeeded(await runs.run(recipe(data), data.run))), [])
    writeFileSync(data.picture(line), broken)
    utimesSync(data.picture(line), atime, mtime)
    const substitute = recipe(data, { onError: "substitute" })
    assert.deepStrictEqual(startOf(succeeded(await runs.run(substitute, data.run))), [0])
  })

  it("sees a change of a picture that it used, although a new start would draw other records", async () => {
    const data = ownData("drawn")
    const share = recipe(data, { percent: 50 }, { maxSteps: 6 })
    const drawnOf = (lines: number) => [...selectLines(lines, 1, 50, new PythonRandom(4))]
    const sampling = { count: 6, batch: 1, accumulation: 1, seed: stageSeed(4, "qat") }
    const used = epochOrder(sampling, 0).map(([[sample]]) => drawnOf(count)[sample!]! + 1)
    assert.strictEqual(used.length, 6)
    await runs.run(share, data.run, { stage: "01-qat", step: 3 })
    const dropped = used[5]!
    withoutLine(data.annotation, dropped)
    assert.deepStrictEqual(startOf(succeeded(await runs.run(share, data.run))), [3])
    const drawnNow = drawnOf(count - 1).map((line) => line + 1)
    const line = used.slice(0, 5).find((each) => !drawnNow.includes(each - (each > dropped ? 1 : 0)))
    assert.isDefined(line, `${used} are all among ${drawnNow}`)
    assert.deepStrictEqual(startOf(succeeded(await runs.run(share, data.run))), [])
    utimesSync(data.picture(line!), new Date(), new Date())
    assert.deepStrictEqual(startOf(succeeded(await runs.run(share, data.run))), [0])
  })
})

describe("a finished stage", () => {
  it("stands when a record that it did not use is dropped, and runs again when one that it used is", async () => {
    const data = ownData("finished")
    succeeded(await runs.run(recipe(data), data.run))
    const before = artefacts(data.run)
    const spare = Array.from({ length: count }, (_, n) => n + 1).find((line) => !order.includes(line))!
    withoutLine(data.annotation, spare)
    const kept = succeeded(await runs.run(recipe(data), data.run))
    assert.deepStrictEqual(startOf(kept), [])
    assert.match(eventsOfKind(RunEvents.DataChanged, kept.entries)[0]!.detail, /its result stands$/)
    assert.deepStrictEqual(artefacts(data.run), before)
    const place = order[0]! - (spare < order[0]! ? 1 : 0)
    withoutLine(data.annotation, place)
    assert.deepStrictEqual(startOf(succeeded(await runs.run(recipe(data), data.run))), [0])
  })

  it("does not see a touched picture where bytes decide", async () => {
    const data = ownData("bytes")
    const byBytes = recipe(data, { pictures: "bytes" })
    succeeded(await runs.run(byBytes, data.run))
    for (const line of order) utimesSync(data.picture(line), new Date(), new Date())
    const again = succeeded(await runs.run(byBytes, data.run))
    assert.deepStrictEqual([startOf(again), eventsOfKind(RunEvents.DataChanged, again.entries).length], [[], 0])
    copyFileSync(data.picture(order[0]!), data.picture(order[1]!))
    assert.deepStrictEqual(startOf(succeeded(await runs.run(byBytes, data.run))), [0])
  })
})

describe("a run of several stages", () => {
  it("keeps those that are finished and goes on in the one that stopped, when a record is dropped", async () => {
    const data = ownData("several")
    const line = order[5]!
    const several = {
      ...recipe(data),
      stages: [
        { ...shortStages.adaround, iterations: 1 },
        { ...shortStages.projector, data: { meta: data.meta }, batch: 1, accumulation: 1, maxSteps: 1 },
        { ...shortStages.autoclip, calibration: { meta: data.meta }, documents: 1, sampleTokens: 16 },
        ...recipe(data).stages
      ]
    }
    truncateSync(data.picture(line), 60)
    const error = failureOf(await runs.run(several, data.run))
    assert.deepInclude({ ...error }, { stage: "04-qat", step: 5, saved: 5 })
    withoutLine(data.annotation, line)
    const continued = succeeded(await runs.run(several, data.run))
    assert.deepStrictEqual(startOf(continued), [5])
    assert.strictEqual(eventsOfKind(RunEvents.StageReused, continued.entries).length, 3)
    assert.strictEqual(eventsOfKind(RunEvents.DataChanged, continued.entries).length, 3)
    assert.isEmpty(eventsOfKind(RunEvents.StageSuperseded, continued.entries))
    const again = succeeded(await runs.run(several, data.run))
    assert.strictEqual(eventsOfKind(RunEvents.StageReused, again.entries).length, 4)
  })
})

describe("samples without anything to learn", () => {
  const text = (answer: string, question = "What?") =>
    JSON.stringify({
      conversations: [{ from: "human", value: question }, ...(answer === "" ? [] : [{ from: "gpt", value: answer }])]
    })
  const train = (name: string, lines: readonly string[], data: object = {}) => {
    const own = ownData(name)
    writeFileSync(own.annotation, lines.join("\n"))
    return { own, recording: runs.run(recipe(own, data), own.run) }
  }

  it("stop a stage when there is nothing else", async () => {
    const nothing = train(
      "nothing",
      Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? text("", `question ${n}`) : text("red", "word ".repeat(400)))),
      { maxLength: 64 }
    )
    assert.match(
      failureOf(await nothing.recording).message,
      /first 8 samples \(4 were cut at maxLength 64 before their answers, 4 have no answer; see .*mini\.jsonl:\d, .*raise data\.maxLength/
    )
  })

  it("are counted, and warned of above the share that is allowed", async () => {
    const lines = [
      ...Array.from({ length: 6 }, (_, n) => text("red", `question ${n}`)),
      text(""),
      text("red", "word ".repeat(400))
    ]
    const { own, recording } = train("some", lines, { maxLength: 64 })
    const warnings = eventsOfKind(RunEvents.Warning, succeeded(await recording).entries).map(({ message }) => message)
    assert.match(
      warnings.join("\n"),
      /nothing is learned from 2 of 8 \(25\.0 %\) samples: 1 have no answer, the answers of 1 were cut off at maxLength 64/
    )
    assert.match(
      reportOf(own.run),
      /8 samples of .*: 6 to learn from, 1 without an answer, 1 whose answers were cut off\. 1 were cut at maxLength 64/
    )
    const quiet = await runs.run(recipe(own, { maxLength: 64, warnShare: 0.5 }), join(own.run, "quiet"))
    assert.isEmpty(eventsOfKind(RunEvents.Warning, succeeded(quiet).entries))
  })
})
