/** Samples prepared on worker threads: the same bits in the same order as without, and every way they can fail. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Events } from "@speedq/pipeline"
import { carefulData, openTrainingData } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { pictureLimits } from "../src/data/pictureLimits.ts"
import { type LoadingPlan, type MicroBatch, openSampleLoader } from "../src/data/SampleLoader.ts"
import { openSampleSource, type SampleSourceOptions } from "../src/data/SampleSource.ts"
import { SampleWorkerFailed, SampleWorkers, threadsFor } from "../src/data/SampleWorkers.ts"
import { DataUnusable } from "../src/Errors.ts"
import { DataConfig, OptimizationConfig } from "../src/training/TrainingConfig.ts"
import { type MiniRecord, pictureRecord, writeMiniData } from "./support/miniData.ts"
import { nanoData } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"
import { asZstandard } from "./support/zstandard.ts"

const runtime = ManagedRuntime.make(Layer.mergeAll(SampleWorkers.layer({ count: 2 }), Events.layer))
const { root, model } = await nanoFolder("samples", runtime)

const records: readonly MiniRecord[] = [
  ...Array.from({ length: 9 }, (_, i) => pictureRecord(i, "red ".repeat(i + 1).trim())),
  { question: "Say it.", answer: "a text without a picture" }
]
const data = (name: string, lines: ReadonlyArray<MiniRecord | string>): string => {
  mkdirSync(join(root, name), { recursive: true })
  return writeMiniData(join(root, name), lines)
}

const optionsOf = (meta: string, more: object = {}, training: object = {}): SampleSourceOptions => ({
  model,
  data: Schema.decodeUnknownSync(DataConfig)({ meta, ...more }),
  optimization: Schema.decodeUnknownSync(OptimizationConfig)({ batch: 2, accumulation: 2, epochs: 2, ...training }),
  seed: { selection: 42, order: 5 }
})

/** Every micro-batch of a source. */
const takeAll = (options: SampleSourceOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const source = yield* openSampleSource(options)
      const indices = Array.from({ length: source.steps }, (_, step) => source.microBatchesOf(step)).flat()
      const batches = yield* Effect.forEach(indices, source.take)
      return { source, indices, batches }
    })
  )

describe("openSampleSource", () => {
  it("gives the bits that one thread gives, in order, and starts anywhere", async () => {
    const meta = data("plain", records)
    const { source, indices, batches } = await runtime.runPromise(takeAll(optionsOf(meta)))
    assert.strictEqual(source.steps, 6)
    assert.deepStrictEqual(
      indices,
      Array.from({ length: 10 }, (_, i) => i)
    )
    assert.deepStrictEqual(
      [0, 1, 2, 3].map((step) => source.microBatchesOf(step)),
      [[0, 1], [2, 3], [4], [5, 6]]
    )
    const alone = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const mixture = yield* openTrainingData({ meta, base: join(root, "plain"), percent: 100, seed: 42 })
          const plan: LoadingPlan = {
            model,
            index: mixture.index,
            maxLength: 8192,
            maxTiles: 6,
            quirks: carefulData,
            dropped: new Set(),
            pictures: {},
            seed: 5
          }
          const loader = yield* openSampleLoader(plan)
          return yield* Effect.forEach(batches, ({ samples }, index) => loader.batch(samples, index < 5 ? 0 : 1))
        })
      )
    )
    assert.deepStrictEqual(batches, alone)
    const [third] = await runtime.runPromise(
      Effect.scoped(Effect.flatMap(openSampleSource(optionsOf(meta)), ({ take }) => Effect.forEach([7], take)))
    )
    assert.deepStrictEqual(third, batches[7])
  })

  it("reads compressed annotations to the same samples, on every thread, and removes the copy", async () => {
    // More than a block of the compressed file.
    const long = [...records, ...Array.from({ length: 400 }, (_, i) => pictureRecord(i % 9, `${i} `.repeat(200)))]
    const [plain, compressed] = [data("whole", long), data("compressed", long)]
    const annotation = join(root, "compressed/mini.jsonl")
    writeFileSync(`${annotation}.zst`, asZstandard(readFileSync(annotation, "utf8")))
    rmSync(annotation)
    writeFileSync(compressed, readFileSync(compressed, "utf8").replace("mini.jsonl", "mini.jsonl.zst"))
    const copies = () => readdirSync(tmpdir()).filter((name) => existsSync(join(tmpdir(), name, "mini.jsonl")))
    const before = copies()
    const settings = [{ percent: 4 }, { epochs: 1 }] as const
    const [ours, theirs] = [
      await runtime.runPromise(takeAll(optionsOf(plain, ...settings))),
      await runtime.runPromise(takeAll(optionsOf(compressed, ...settings)))
    ]
    assert.isAbove(ours.batches.length, 4)
    assert.deepStrictEqual(theirs.batches, ours.batches)
    assert.match(theirs.source.describe(0), /mini\.jsonl\.zst:\d+$/)
    assert.deepStrictEqual(copies(), before)
    writeFileSync(`${annotation}.zst`, "no such format")
    const refused = await runtime.runPromise(Effect.flip(takeAll(optionsOf(compressed))))
    assert.instanceOf(refused, DataUnusable)
    assert.match(refused.message, /mini\.jsonl\.zst.*does not begin as Zstandard files do/)
  })

  it("shows as many frames of a video as the data's options say", async () => {
    const turns = [
      { from: "human", value: "<video>\nWhat moves?" },
      { from: "gpt", value: "Nothing." }
    ]
    const meta = data("video", [JSON.stringify({ video: "images", conversations: turns })])
    const framesOf = async (more: object) => {
      const { batches } = await runtime.runPromise(takeAll(optionsOf(meta, more, { epochs: 1, groupByLength: false })))
      return batches[0]!.tilesOf[0]!
    }
    assert.strictEqual(await framesOf({ frames: { min: 3, max: 3 } }), 3)
    assert.strictEqual(await framesOf({ frames: { min: 40, max: 40 } }), 40)
    const usual = await framesOf({})
    assert.isTrue(usual >= 8 && usual <= 32, `${usual} frames`)
    assert.throws(() => optionsOf(meta, { frames: { min: 9, max: 8 } }), /min 9 is more than max 8/)
  })

  it("drops an incomplete last step where the options say so", async () => {
    const meta = data("steps", records)
    const { source, indices } = await runtime.runPromise(takeAll(optionsOf(meta, {}, { lastStep: "drop" })))
    // 5 micro-batches an epoch, 2 a step: the fifth and the tenth are left out.
    assert.strictEqual(source.steps, 4)
    assert.deepStrictEqual(indices, [0, 1, 2, 3, 5, 6, 7, 8])
    const stepsOf = async (optimization: object) =>
      (await runtime.runPromise(takeAll(optionsOf(meta, {}, optimization)))).source.steps
    assert.strictEqual(await stepsOf({ compat: "reference" }), 4)
    assert.strictEqual(await stepsOf({ compat: "reference", lastStep: "keep" }), 6)
  })

  it("knows equal pictures by their tiles", async () => {
    const meta = data("twice", [pictureRecord(3), pictureRecord(4), pictureRecord(3)])
    const { batches } = await runtime.runPromise(takeAll(optionsOf(meta, {}, { epochs: 1 })))
    const keyOf = new Map<number, string>()
    for (const { samples, tileKeys } of batches)
      for (const [row, sample] of samples.entries()) keyOf.set(sample, tileKeys[row]!)
    const keys = [...keyOf.values()]
    assert.strictEqual(new Set(keys).size, 2)
  })

  it("groups samples of like length", async () => {
    const lengths = [5, 90, 4, 80, 1, 70, 3, 60]
    const meta = data(
      "lengths",
      lengths.map((length, i) => ({ ...pictureRecord(i), length }))
    )
    const order = async (groupByLength: boolean) => {
      const { source, batches } = await runtime.runPromise(
        takeAll(optionsOf(meta, {}, { epochs: 1, batch: 1, accumulation: 8, groupByLength }))
      )
      return batches.flatMap(({ samples }: MicroBatch) =>
        samples.map((sample) => lengths[Number(source.describe(sample).split(":").at(-1)) - 1]!)
      )
    }
    assert.deepStrictEqual(await order(true), [90, 80, 70, 60, 5, 4, 3, 1])
    assert.notDeepEqual(await order(false), [90, 80, 70, 60, 5, 4, 3, 1])
  })

  it("stops at a malformed line and at an image that vanished, with file and line", async () => {
    const malformed = data("malformed", [...records, "{ not json"])
    const first = await runtime.runPromise(Effect.flip(takeAll(optionsOf(malformed))))
    assert.instanceOf(first, DataUnusable)
    assert.match(first.message, /malformed\/mini\.jsonl:11: not JSON.*or set onError to "substitute"/s)
    const broken = data("broken", ["{ not json", "{ not json"])
    const substitute = { onError: "substitute" }
    const last = await runtime.runPromise(Effect.flip(takeAll(optionsOf(broken, substitute))))
    assert.match(last.message, /10 records before it.* could not be used either; take such records out/)
    assert.notInclude(last.message, "onError")
    const vanished = data("vanished", [...records, pictureRecord(99_999)])
    const second = await runtime.runPromise(Effect.flip(takeAll(optionsOf(vanished))))
    assert.match(second.message, /vanished\/mini\.jsonl:11: sample rejected: .*99999\.png/)
  })

  it("refuses a picture that is cut off or too large, or loads it where options or the reference's ways say so", async () => {
    const whole = readFileSync(join(nanoData, "images/0001.png"))
    writeFileSync(join(root, "cut.png"), whole.subarray(0, Math.floor(whole.length * 0.6)))
    const cut = data("cut", [{ image: join(root, "cut.png"), question: "What?", answer: "red" }])
    const take = (more: object, compat = "careful") =>
      runtime.runPromise(Effect.result(takeAll(optionsOf(cut, more, { epochs: 1, compat }))))
    const refused = async (more: object, compat?: string) => {
      const result = await take(more, compat)
      return result._tag === "Failure" ? result.failure.message : assert.fail("it was loaded")
    }
    assert.match(await refused({}), /cut\/mini\.jsonl:1: sample rejected: .*cut\.png: not an image that can be read/)
    assert.match(await refused({ images: { truncated: "reject" } }, "reference"), /cut\.png/)
    for (const loading of [take({ images: { truncated: "load" } }), take({}, "reference")]) {
      const result = await loading
      assert.strictEqual(result._tag, "Success")
    }
    assert.match(await refused({ images: { maxPixels: 9 } }), /pixels are more than 9/)
    assert.match(await refused({ images: { maxPixels: 9 } }, "reference"), /pixels are more than 9/)
    assert.strictEqual(pictureLimits(undefined, "reference").maxPixels, Number.POSITIVE_INFINITY)
    assert.strictEqual(pictureLimits({ maxPixels: 400_000_000 }, "careful").maxPixels, 400_000_000)
  })

  it("replaces records that cannot be used where that is wanted, and says which", async () => {
    const meta = data("substituted", [...records, "{ not json", pictureRecord(99_999)])
    const options = optionsOf(meta, { onError: "substitute" }, { epochs: 1 })
    const { source, batches } = await runtime.runPromise(takeAll(options))
    const told = batches.flatMap(({ substituted }) => substituted)
    assert.isAtLeast(told.length, 2)
    assert.deepStrictEqual([...new Set(told.map(({ sample }) => source.describe(sample).split(":").at(-1)))].sort(), [
      "11",
      "12"
    ])
    assert.strictEqual(batches.flatMap(({ samples }) => samples).length, 12)
    const again = await runtime.runPromise(takeAll(options))
    assert.deepStrictEqual(again.batches, batches)
  })

  it("refuses a mixture without a sample, and a meta file that is not there", async () => {
    const empty = await runtime.runPromise(Effect.flip(takeAll(optionsOf(data("few", records), { percent: 1 }))))
    assert.match(empty.message, /selects no sample/)
    const missing = await runtime.runPromise(Effect.flip(takeAll(optionsOf(join(root, "none.json")))))
    assert.match(missing.message, /none\.json/)
  })

  it("reads the lines that were there when it was opened", async () => {
    const meta = data("grown", records)
    const count = await runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const source = yield* openSampleSource(optionsOf(meta, {}, { groupByLength: false }))
          appendFileSync(join(root, "grown/mini.jsonl"), "\nmore")
          yield* Effect.forEach([0, 1, 2, 3, 4], source.take)
          return source.count
        })
      )
    )
    assert.strictEqual(count, records.length)
  })
})

describe("openSampleLoader", () => {
  it("takes no record that is gone in the place of another", async () => {
    const meta = data("gone", [pictureRecord(1), "{ not json", pictureRecord(3), pictureRecord(4)])
    const made = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { index } = yield* openTrainingData({ meta, base: join(root, "gone"), percent: 0, seed: 42 })
          const loader = yield* openSampleLoader({
            ...{ model, index, maxLength: 8192, maxTiles: 6, seed: 5 },
            quirks: { ...carefulData, substitutions: 20 },
            dropped: new Set([2, 3]),
            pictures: {}
          })
          const epochs = Array.from({ length: 30 }, (_, epoch) => epoch)
          return yield* Effect.forEach(epochs, (epoch) => loader.batch([1, 3], epoch))
        })
      )
    )
    for (const batch of made) {
      assert.deepStrictEqual(batch.made, [0, 0])
      assert.isTrue(batch.substituted.every(({ by }) => by === 0))
    }
    const reasons = new Set(made.flatMap(({ substituted }) => substituted.map(({ reason }) => reason)))
    assert.isTrue(reasons.has("the record is no longer in the file"))
  })
})

describe("SampleWorkers", () => {
  it("are one for each processor but the first, and take half of the memory at most", () => {
    const processors = [1, 2, 3, 4, 16, 96]
    const threads = (gibibytes: number) => processors.map((count) => threadsFor(count, gibibytes * 2 ** 30))
    assert.deepStrictEqual(threads(512), [1, 1, 2, 3, 15, 95])
    assert.deepStrictEqual(threads(16), [1, 1, 2, 3, 8, 8])
    assert.deepStrictEqual(threads(1), [1, 1, 1, 1, 1, 1])
  })

  it("are as many as the data's options say, and no more than there are micro-batches", async () => {
    const meta = data("threads", records)
    const expected = (await runtime.runPromise(takeAll(optionsOf(meta)))).batches
    const asked: (number | undefined)[] = []
    for (const workers of [1, 3, 64]) {
      const batches = SampleWorkers.pipe(
        Effect.map((real) => ({
          ...real,
          open: (plan: LoadingPlan, threads?: number) => {
            asked.push(threads)
            return Effect.tap(real.open(plan, threads), (loader) =>
              Effect.sync(() => assert.strictEqual(loader.threads, threads))
            )
          }
        })),
        Effect.flatMap((counting) =>
          Effect.provideService(takeAll(optionsOf(meta, { workers })), SampleWorkers, counting)
        )
      )
      assert.deepStrictEqual((await runtime.runPromise(batches)).batches, expected)
    }
    assert.deepStrictEqual(asked, [1, 3, 5])
  })

  it("end with their scope, and a model that cannot be opened is told", async () => {
    const meta = data("model", records)
    const own = ManagedRuntime.make(Layer.merge(Layer.fresh(SampleWorkers.layer({ count: 1 })), Events.layer))
    const error = await own.runPromise(Effect.flip(takeAll({ ...optionsOf(meta), model: join(root, "nowhere") })))
    assert.match(error.message, /nowhere/)
    await own.dispose()
  })

  it("that cannot live fail what waits for them, and nothing takes their place", async () => {
    const meta = data("heap", records)
    // Too little for the thread's modules, enough for V8 to begin: it ends the process where a heap is smaller.
    const own = ManagedRuntime.make(
      Layer.merge(Layer.fresh(SampleWorkers.layer({ count: 1, heapMegabytes: 12 })), Events.layer)
    )
    const error = await own.runPromise(Effect.flip(takeAll(optionsOf(meta))))
    assert.instanceOf(error, SampleWorkerFailed)
    assert.match(error.message, /worker thread.*memory/s)
    await own.dispose()
  })
})
