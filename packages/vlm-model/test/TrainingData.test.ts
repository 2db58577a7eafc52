import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  attachTrainingData,
  carefulData,
  type DataQuirks,
  DatasetInvalid,
  imagenetStatistics,
  loadSample,
  openTrainingData,
  PythonRandom,
  referenceVideo,
  SampleRejected,
  type SampleSettings
} from "../src/index.ts"
import { fixturePath } from "./fixture.ts"
import { qwen } from "./qwen.ts"
import { randomSource } from "./randomSource.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const root = temporaryDirectory()
const line = (value: string, more: object = {}) =>
  JSON.stringify({
    conversations: [
      { from: "human", value },
      { from: "gpt", value: "ok" }
    ],
    ...more
  })
const write = (name: string, lines: ReadonlyArray<string>) => writeFileSync(join(root, name), lines.join("\n"))

write(
  "a.jsonl",
  Array.from({ length: 50 }, (_, i) => line(`a${i}`))
)
write(
  "b.jsonl",
  Array.from({ length: 200 }, (_, i) => line(`b${i}`, { image: "rgb8.png" }))
)
write("bad.jsonl", [line("fine"), "{", line("gone", { image: "gone.png" })])
const entry = (annotation: string, more: object = {}) => ({ root: fixturePath("images"), annotation, ...more })
const meta = (name: string, content: object): string => {
  const file = join(root, name)
  writeFileSync(file, JSON.stringify(content))
  return file
}
const mixture = meta("mixture.json", {
  first: entry("a.jsonl", { repeat_time: 2 }),
  second: entry("b.jsonl", { max_dynamic_patch: 1 })
})
const damaged = meta("damaged.json", { bad: entry("bad.jsonl") })

const settings = (quirks: Partial<DataQuirks> = {}): SampleSettings => ({
  tokenizer: qwen,
  tokensPerTile: 1,
  maxLength: 512,
  image: {
    tileSize: 14,
    minTiles: 1,
    maxTiles: 6,
    thumbnail: true,
    dynamic: true,
    padToSquare: false,
    statistics: imagenetStatistics
  },
  video: referenceVideo,
  quirks: { ...carefulData, ...quirks }
})

describe("openTrainingData", () => {
  it.effect("joins data sets in order, drawn by one generator", () =>
    Effect.gen(function* () {
      const data = yield* openTrainingData({ meta: mixture, base: root, percent: 10 })
      const random = new PythonRandom(42)
      const [first, second] = [random.sample(50, 5), random.sample(200, 20)]
      assert.strictEqual(data.count, 2 * 5 + 20)
      const values = yield* Effect.forEach(
        Array.from({ length: data.count }, (_, i) => i),
        (index) => Effect.map(data.record(index), ({ record }) => record.conversations[0].value)
      )
      assert.deepEqual(values, [...first, ...first].map((i) => `a${i}`).concat([...second].map((i) => `b${i}`)))
      const { origin } = yield* data.record(10)
      assert.deepEqual([origin.file, origin.line, origin.maxTiles], [join(root, "b.jsonl"), second[0]! + 1, 1])
    })
  )

  it.effect("takes everything in file order for 0 percent, and refuses impossible percentages", () =>
    Effect.gen(function* () {
      const data = yield* openTrainingData({ meta: mixture, base: root, percent: 0 })
      assert.strictEqual(data.count, 300)
      assert.strictEqual((yield* data.record(51)).record.conversations[0].value, "a1")
      const error = yield* Effect.flip(openTrainingData({ meta: mixture, percent: 101 }))
      assert.match(error.message, /101 percent/)
    })
  )
})

describe("attachTrainingData", () => {
  it.effect("opens the same mixture from its index, as another thread gets it", () =>
    Effect.gen(function* () {
      const data = yield* openTrainingData({ meta: mixture, base: root, percent: 10 })
      const attached = yield* attachTrainingData(structuredClone(data.index))
      assert.strictEqual(attached.count, data.count)
      assert.strictEqual(attached.parts[1]!.selected.buffer instanceof SharedArrayBuffer, true)
      for (let index = 0; index < data.count; index++) {
        assert.deepEqual(yield* attached.record(index), yield* data.record(index))
        assert.deepEqual(attached.origin(index), (yield* data.record(index)).origin)
      }
    })
  )
})

describe("loadSample", () => {
  it.effect("makes samples with each data set's own settings", () =>
    Effect.gen(function* () {
      const data = yield* openTrainingData({ meta: mixture, base: root, percent: 0 })
      const { sample, substituted } = yield* loadSample(data, 120, settings(), randomSource(1))
      assert.strictEqual(sample.tiles.count, 1)
      assert.deepEqual(substituted, [])
    })
  )

  it.effect("fails on a bad record, with file and line", () =>
    Effect.gen(function* () {
      const data = yield* openTrainingData({ meta: damaged, base: root, percent: 0 })
      const malformed = yield* Effect.flip(loadSample(data, 1, settings(), randomSource(1)))
      assert.instanceOf(malformed, DatasetInvalid)
      assert.match(malformed.message, /bad\.jsonl:2: not JSON/)
      const rejected = yield* Effect.flip(loadSample(data, 2, settings(), randomSource(1)))
      assert.instanceOf(rejected, SampleRejected)
      assert.match(rejected.message, /bad\.jsonl:3: sample rejected: .*gone\.png/)
    })
  )

  it.effect("replaces it when told to, reports every replacement, and gives up after so many", () =>
    Effect.gen(function* () {
      const data = yield* openTrainingData({ meta: damaged, base: root, percent: 0 })
      const load = (seed: number, substitutions: number) =>
        Effect.result(loadSample(data, 1, settings({ substitutions }), randomSource(seed)))
      const lengths = new Set<number>()
      for (let seed = 0; seed < 30; seed++) {
        const result = yield* load(seed, 50)
        if (result._tag === "Failure") return assert.fail(result.failure.message)
        const { substituted, sample } = result.success
        assert.isAtLeast(substituted.length, 1)
        assert.include(qwen.decode(sample.inputIds), "fine")
        lengths.add(substituted.length)
      }
      assert.isAbove(lengths.size, 1)
      const once = yield* Effect.forEach(
        Array.from({ length: 30 }, (_, seed) => seed),
        (seed) => load(seed, 1)
      )
      assert.isTrue(once.some((result) => result._tag === "Failure"))
      assert.isTrue(once.some((result) => result._tag === "Success"))
    })
  )
})
