/** Lengths of samples are measured once a stage, however often it is interrupted, unless what they are made of changed. */
import { copyFileSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Events, isEntryOf, RunEvents } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { openStageData } from "../src/data/openStageData.ts"
import { SampleWorkers } from "../src/data/SampleWorkers.ts"
import { DataConfig, OptimizationConfig } from "../src/training/TrainingConfig.ts"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import { nanoData } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

/** Samples whose lengths the threads were asked for. */
let measured = 0
const counting = Layer.effect(
  SampleWorkers,
  Effect.map(SampleWorkers, ({ count, open }) => ({
    count,
    open: (plan, threads) =>
      Effect.map(open(plan, threads), (loader) => ({
        ...loader,
        lengths: (from, to) => {
          measured += to - from
          return loader.lengths(from, to)
        }
      }))
  }))
).pipe(Layer.provide(SampleWorkers.layer({ count: 1 })))
const runtime = ManagedRuntime.make(Layer.mergeAll(counting, Events.layer))
const { root, model } = await nanoFolder("lengths", runtime)

const count = 6
const dataIn = (name: string) => {
  const directory = join(root, name)
  mkdirSync(join(directory, "images"), { recursive: true })
  const records = Array.from({ length: count }, (_, n) => pictureRecord(n + 1, "red ".repeat(n + 1)))
  for (const { image = "" } of records) copyFileSync(join(nanoData, image), join(directory, image))
  const meta = writeMiniData(directory, records)
  writeFileSync(meta, JSON.stringify({ mini: { root: directory, annotation: "mini.jsonl" } }))
  const at = (file: string) => join(directory, file)
  return { directory, meta, lengths: at("lengths.bin"), annotation: at("mini.jsonl"), picture: at(records[0]!.image!) }
}

/** Opens the data of a stage as a process does that begins or continues it. */
const open = ({ directory, meta }: ReturnType<typeof dataIn>, more: object = {}) => {
  measured = 0
  const warnings: string[] = []
  const opening = Effect.gen(function* () {
    const events = yield* Events
    yield* events.subscribe({
      write: (entry) => {
        if (isEntryOf(RunEvents.Warning, entry)) warnings.push(entry.event.message)
      },
      flush: Effect.void
    })
    const source = yield* openStageData({
      recipe: { name: "lengths", model, seed: 4, save: { everySeconds: 300 } },
      ...{ seed: 9, directory },
      data: Schema.decodeUnknownSync(DataConfig)({ meta, ...more }),
      optimization: Schema.decodeUnknownSync(OptimizationConfig)({ batch: 2, accumulation: 3 })
    })
    const batches = yield* Effect.forEach(source.microBatchesOf(0), source.take)
    return batches.map(({ samples }) => samples)
  })
  return runtime
    .runPromise(Effect.provide(Effect.scoped(opening), NodeServices.layer))
    .then((order) => ({ order, measured, warnings }))
}

describe("lengths of samples", () => {
  it("are measured when a stage begins, and not when it continues", async () => {
    const data = dataIn("kept")
    const begun = await open(data)
    assert.strictEqual(begun.measured, count)
    const file = readFileSync(data.lengths)
    const continued = await open(data, { onError: "substitute", workers: 1 })
    assert.deepStrictEqual(continued, { order: begun.order, measured: 0, warnings: [] })
    assert.deepStrictEqual(readFileSync(data.lengths), file)
  })

  it("are measured again, with a note, where the file is damaged or of something else", async () => {
    const data = dataIn("damaged")
    const begun = await open(data)
    const file = readFileSync(data.lengths)
    const spoilt = { byte: Buffer.from(file), short: file.subarray(0, -4), empty: Buffer.alloc(0), text: "lengths" }
    spoilt.byte[file.length - 4]! ^= 1
    for (const [name, content] of Object.entries(spoilt)) {
      writeFileSync(data.lengths, content)
      const { warnings, ...again } = await open(data)
      assert.deepStrictEqual(again, { order: begun.order, measured: count }, name)
      assert.match(warnings.join(), /lengths\.bin.*it is damaged; they are measured again/)
      assert.deepStrictEqual(readFileSync(data.lengths), file, name)
    }
    const { warnings, ...again } = await open(data, { maxTiles: 1 })
    assert.strictEqual(again.measured, count)
    assert.match(warnings.join(), /of other data, options or another version/)
  })

  it("are measured again where a record or a picture changed since the stage began", async () => {
    const data = dataIn("changed")
    await open(data)
    const annotation = readFileSync(data.annotation, "utf8")
    writeFileSync(data.annotation, annotation.replace("red red red red", "red"))
    assert.strictEqual((await open(data)).measured, count)
    writeFileSync(data.annotation, annotation)
    assert.strictEqual((await open(data)).measured, 0)
    utimesSync(data.picture, 1, 1)
    assert.strictEqual((await open(data)).measured, count)
    // What was measured after the change is kept in its turn.
    assert.strictEqual((await open(data)).measured, 0)
  })
})
