/** Forecasts of time: records as they are, with their tiles and frames, pictures that come again, and every stage. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Preflight, Recipe } from "@speedq/pipeline"
import { openModelDirectory, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { openBenchmark } from "../src/evaluate/askedRows.ts"
import { rowsExtent } from "../src/evaluate/rowExtents.ts"
import { recordBytes } from "../src/features/featureRecord.ts"
import { dataExtent, extentLine } from "../src/planning/dataExtent.ts"
import { roomForTiles } from "../src/planning/featureForecast.ts"
import { tilesComputed } from "../src/planning/tilesComputed.ts"
import { stages } from "../src/registry/stages.ts"
import { DataConfig } from "../src/training/TrainingConfig.ts"
import { type MiniRecord, pictureRecord, writeMiniData } from "./support/miniData.ts"
import { eachStage, evaluation, nanoData, shortStages, writeNanoModel } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-extent-"))
let model: string
beforeAll(async () => {
  model = await writeNanoModel(join(root, "model"))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const dataOf = (name: string, lines: ReadonlyArray<MiniRecord | string>): string => {
  mkdirSync(join(root, name))
  return writeMiniData(join(root, name), lines)
}
const text: MiniRecord = { question: "Say it.", answer: "a text without a picture" }
const video = JSON.stringify({
  video: "images",
  conversations: [
    { from: "human", value: "<video>\nWhat moves?" },
    { from: "gpt", value: "Nothing." }
  ]
})
const recipe = () => ({ name: "extent", model, seed: 4, save: { everySeconds: 300 } })

const recipeOf = () => ({ version: 1, name: "extent", model, seed: 4 })

const extentOf = async (meta: string, more: object = {}) =>
  Option.getOrThrow(
    await Effect.runPromise(dataExtent(Schema.decodeUnknownSync(DataConfig)({ meta, ...more }), "careful", recipe()))
  )

describe("what records of a mixture take", () => {
  it("is counted by kind, of those that can be used", async () => {
    const meta = dataOf("kinds", [pictureRecord(1), pictureRecord(1), text, video, "{ no"])
    const extent = await extentOf(meta, { frames: { min: 6, max: 6 } })
    assert.strictEqual(extent.count, 5)
    assert.sameMembers(
      extent.records.map(({ kind, tiles }) => `${kind} ${tiles}`),
      ["image 1", "image 1", "text 0", "video 6"]
    )
    // Two different ones of the three that lines name.
    assert.closeTo(extent.distinct, 2 / 3, 1e-9)
    assert.match(
      extentLine(extent),
      /^samples: 25 % text, 50 % with pictures \(1\.0 tiles\), 25 % videos \(6\.0 frames\); \d+ tokens each on average, \d+ of them answers$/
    )
  })

  it("is that of some records where they are many", async () => {
    const meta = dataOf(
      "many",
      Array.from({ length: 300 }, (_, n) => (n % 2 === 0 ? text : pictureRecord(n)))
    )
    const extent = await extentOf(meta)
    assert.strictEqual(extent.records.length, 256)
    assert.match(extentLine(extent), /\(256 of 300 looked at\)$/)
    const pictures = extent.records.filter(({ kind }) => kind === "image").length
    assert.isTrue(pictures > 100 && pictures < 156, `${pictures}`)
  })

  it("is unknown without a model or a record", async () => {
    const unknown = (data: object, place: object) =>
      Effect.runPromise(
        dataExtent(Schema.decodeUnknownSync(DataConfig)(data), "careful", { ...recipe(), ...place })
      ).then(Option.isNone)
    const meta = dataOf("none", ["{ no"])
    assert.isTrue(await unknown({ meta }, {}))
    assert.isTrue(await unknown({ meta: dataOf("some", [text]) }, { model: join(root, "nowhere") }))
  })
})

describe("tiles that pass a tower", () => {
  const unlimited = Number.POSITIVE_INFINITY

  it("are each picture's once, where features are kept", () => {
    const extent = { count: 10, distinct: 1 }
    assert.strictEqual(tilesComputed(extent, 3, 5, unlimited), 15)
    assert.strictEqual(tilesComputed(extent, 3, 10, unlimited), 30)
    assert.strictEqual(tilesComputed(extent, 3, 40, unlimited), 30)
    assert.closeTo(tilesComputed({ ...extent, distinct: 0.1 }, 3, 10, unlimited), 3, 1e-9)
  })

  it("are all of them where none is kept, and between as far as there is room", () => {
    const extent = { count: 10, distinct: 1 }
    assert.strictEqual(tilesComputed(extent, 3, 40, 0), 120)
    assert.strictEqual(tilesComputed(extent, 3, 40, 15), 75)
  })
})

describe("what rows of a benchmark take", () => {
  it("is their tiles, prompt and expected answer, of some of them", async () => {
    const choice = { name: "nano", data: join(nanoData, "evaluation/caption.tsv"), limit: 40 }
    const { tokenizer, config } = await Effect.runPromise(openModelDirectory(model))
    const { data, rows } = await Effect.runPromise(openBenchmark(choice))
    const extent = await Effect.runPromise(rowsExtent(model, choice))
    assert.strictEqual(extent.count, 40)
    const answers = [0, 10, 20, 30].map((at) => tokenizer.encode(rows[at]!.cells.get("answer")!).length + 1)
    assert.sameMembers(
      extent.like.map(({ answer }) => answer),
      answers,
      data.file
    )
    for (const { tiles, prompt } of extent.like) assert.isTrue(tiles >= 1 && prompt > tiles * tokensPerTile(config))
  })
})

const planOf = (recipe: object) => {
  const decoded = Recipe.decode(stages, recipe)
  const plan = Effect.flatMap(decoded, (made) => Preflight.plan(made, join(root, "run")))
  return Effect.runPromise(Effect.provide(plan, NodeServices.layer))
}

describe("a plan", () => {
  it("knows how long every stage of SPEED-Q takes, and that codes are sooner written than numbers", async () => {
    const { stages: planned } = await planOf(eachStage(model))
    const times = new Map(planned.map(({ place, forecast: { seconds } }) => [place.slice(3), seconds]))
    for (const [label, seconds] of times) assert.isTrue(seconds !== undefined && seconds > 0 && seconds < 600, label)
    assert.isBelow(times.get("export-2")!, times.get("export")!)
  })

  it("says which layers an export keeps the codes of, and refuses a format that can keep none", async () => {
    const rounded = {
      use: "round-language",
      quantizers: [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }]
    }
    const exports = ["gptq", "awq"].map((format) => ({ use: "export", format }))
    const { stages: planned } = await planOf({ version: 1, name: "formats", model, stages: [rounded, ...exports] })
    const [, gptq, awq] = planned.map(({ forecast }) => forecast)
    assert.include(
      gptq!.lines.join(),
      "keeps the codes of 35 layers; as numbers: 2 (language_model.model.embed_tokens,"
    )
    assert.isEmpty(gptq!.obstacles)
    assert.deepStrictEqual(awq!.obstacles, [
      {
        issue: "awq: no layer is quantized in a way that awq can hold",
        fix: "choose hf, which has dequantized weights in the same layout"
      }
    ])
  })

  it("knows how long an evaluation takes: longer with more rows, and with a divergence; unknown without the file", async () => {
    const benchmark = { name: "nano", data: join(nanoData, "evaluation/caption.tsv") }
    const forecastOf = async (limit: number, more: object = {}) => {
      const stage = { ...evaluation("timed", { divergence: 0, ...more }), benchmarks: [{ ...benchmark, limit }] }
      return (await planOf({ ...recipeOf(), stages: [stage] })).stages[0]!.forecast
    }
    const { seconds, lines } = await forecastOf(10)
    assert.match(lines.join(), /answers are taken to be as long as .* \d+\.\d tokens on average, after prompts of \d+/)
    assert.isAbove((await forecastOf(200)).seconds!, seconds!)
    assert.isAbove((await forecastOf(10, { divergence: 10 })).seconds!, seconds!)
    benchmark.data = join(root, "nowhere.tsv")
    assert.isUndefined((await forecastOf(10)).seconds)
  })

  it("knows how long rounding without training takes: longer where a search before finds ranges", async () => {
    const round = { use: "round-language", quantizers: shortStages.autoclip.quantizers }
    const secondsOf = async (...before: readonly object[]) =>
      (await planOf({ ...recipeOf(), stages: [...before, round] })).stages.at(-1)!.forecast.seconds!
    const alone = await secondsOf()
    assert.isAbove(alone, 0)
    assert.isAbove(await secondsOf(shortStages.autoclip), alone)
  })

  it("says where GPTQ takes the place of what AdaRound found for the tower, and not where its rules leave the tower", async () => {
    const [both] = shortStages.autoclip.quantizers
    const linesOf = async (rule: object) => {
      const gptq = { use: "gptq", calibration: { meta: join(nanoData, "datasets.json") }, quantizers: [rule] }
      const { stages } = await planOf({ ...recipeOf(), stages: [shortStages.adaround, gptq] })
      return stages[1]!.forecast.lines.join("\n")
    }
    const told = /quantizes 12 Linears of the vision tower anew: what 01-adaround-vit found for them is not used/
    assert.match(await linesOf(both!), told)
    assert.notMatch(await linesOf({ ...both, tower: "language" }), /anew/)
  })

  it("knows how long GPTQ takes, and tells its arithmetic: longer for the tower too, and for more records", async () => {
    const [both] = shortStages.autoclip.quantizers
    const forecastOf = async (samples: number, quantizers: readonly object[]) => {
      const gptq = { use: "gptq", calibration: { meta: join(nanoData, "datasets.json") }, samples, quantizers }
      return (await planOf({ ...recipeOf(), stages: [gptq] })).stages[0]!.forecast
    }
    const alone = await forecastOf(64, [{ ...both, tower: "language" }])
    assert.match(
      alone.lines.join("\n"),
      /20 Hessians, the largest 128x128: \d+ s to factor them, \d+ s to choose codes/
    )
    const whole = await forecastOf(64, [both!])
    assert.match(whole.lines.join("\n"), /32 Hessians/)
    assert.isAbove(whole.seconds!, alone.seconds!)
    const more = await forecastOf(1024, [both!])
    assert.isAbove(more.seconds!, 2 * whole.seconds!)
    assert.isAbove(more.memoryBytes, whole.memoryBytes)
    assert.isAbove(whole.outputBytes, alone.outputBytes)
  })

  it("knows how long AWQ takes: longer for more exponents, and no less for clipping", async () => {
    const { quantizers } = shortStages.autoclip
    const forecastOf = async (more: object) => {
      const calibration = { meta: join(nanoData, "datasets.json") }
      return (await planOf({ ...recipeOf(), stages: [{ use: "awq", calibration, quantizers, ...more }] })).stages[0]!
        .forecast
    }
    const [few, many] = [await forecastOf({ steps: 2, clip: false }), await forecastOf({ steps: 40, clip: false })]
    assert.match(many.lines.join("\n"), /40 exponents for the scales of 5 layers: \d+ s in attention and MLP/)
    assert.isAbove(many.seconds!, 2 * few.seconds!)
    assert.isAbove((await forecastOf({ steps: 2 })).seconds!, few.seconds!)
  })

  it.each(["gptq", "awq"])("tells what balanced modalities cost %s before the first block", async (use) => {
    const [rule] = shortStages.autoclip.quantizers
    const calibration = { meta: join(nanoData, "datasets.json"), percent: 100 }
    const forecastOf = async (more: object) => {
      const stage = { use, calibration, quantizers: [{ ...rule, tower: "language" }], ...more }
      return (await planOf({ ...recipeOf(), stages: [stage] })).stages[0]!.forecast
    }
    const [equal, balanced] = [await forecastOf({}), await forecastOf({ modalities: "balanced" })]
    const told = /sensitivity of both modalities: each record forward and back once, \d+ s/
    assert.match(balanced.lines.join("\n"), told)
    assert.notMatch(equal.lines.join("\n"), told)
    assert.isAbove(balanced.seconds!, equal.seconds!)
    assert.isAtLeast(balanced.memoryBytes, equal.memoryBytes)
    const question = JSON.stringify({ conversations: [{ from: "human", value: "What comes next?" }] })
    const unanswered = { meta: dataOf(`unanswered-${use}`, [question, question]) }
    const obstacles = async (more: object) =>
      (await forecastOf({ calibration: unanswered, ...more })).obstacles.map(({ issue }) => issue).join("\n")
    assert.match(
      await obstacles({ modalities: "balanced" }),
      /no record of .* has an answer: there is nothing to learn/
    )
    assert.isEmpty(await obstacles({}))
  })

  it("counts layers that are quantized alone, not those that a rule leaves as they are", async () => {
    const down = [{ ...shortStages.autoclip.quantizers[0], match: "**.down_proj", tower: "language" }]
    const rest = [...down, { match: "**", tower: "language", use: "none" }]
    const calibration = { meta: join(nanoData, "datasets.json") }
    for (const use of ["awq", "gptq", "adaround-language"]) {
      const [alone, named] = await Promise.all(
        [down, rest].map(
          async (quantizers) => (await planOf({ ...recipeOf(), stages: [{ use, calibration, quantizers }] })).stages[0]!
        )
      )
      const { memoryBytes, outputBytes } = alone!.forecast
      assert.deepInclude({ ...named!.forecast }, { memoryBytes, outputBytes }, use)
    }
  })

  it("knows how long an allocation takes, longer of layers than of blocks, and tells later stages of it", async () => {
    const { quantizers } = shortStages.autoclip
    const data = { meta: join(nanoData, "datasets.json") }
    const allocate = { use: "allocate-bits", budget: "2.5 bits", candidates: [quantizers], data, records: 8 }
    const planned = (more: object) =>
      planOf({
        ...recipeOf(),
        stages: [
          { ...allocate, ...more },
          { use: "round-language", quantizers }
        ]
      })
    const [blocks, layers] = [(await planned({})).stages, (await planned({ unit: "layer" })).stages]
    assert.isAbove(layers[0]!.forecast.seconds!, blocks[0]!.forecast.seconds!)
    assert.match(blocks[0]!.forecast.lines[1]!, /^the budget: 2\.500 bits a weight .* from 2\.500 .* to 2\.500/)
    assert.match(
      blocks[0]!.forecast.lines[2]!,
      /^sizes and layers of a plan are by the rules of later stages: .* KiB at most/
    )
    assert.match(blocks[1]!.forecast.lines.join(), /allocate-bits, before this stage, chooses the quantizers/)
    const [refused] = (await planned({ budget: "2 bits" })).stages
    assert.match(refused!.forecast.obstacles[0]!.issue, /^the budget of 2\.000 .* is below the cheapest candidates/)
  })

  it("knows how long a tower from elsewhere takes: longer where its numbers are tried on grids", async () => {
    const secondsOf = async (quantizers: readonly object[]) => {
      const given = { use: "import-vit", weights: join(model, "model.safetensors"), quantizers }
      return (await planOf({ ...recipeOf(), stages: [given] })).stages[0]!.forecast.seconds!
    }
    const numbers = await secondsOf([])
    assert.isAbove(numbers, 0)
    assert.isAbove(await secondsOf(shortStages.adaround.quantizers), numbers)
  })

  it("knows how long fitting the decoder takes: longer with more iterations; and how many sequences there are", async () => {
    const ofStage = async (stage: object) => (await planOf({ ...recipeOf(), stages: [stage] })).stages[0]!.forecast
    const forecastOf = (more: object) => ofStage({ ...shortStages.adaroundLanguage, ...more })
    const { seconds, lines, memoryBytes } = await forecastOf({})
    assert.isTrue(seconds! > 0 && seconds! < 600)
    assert.match(lines.join(), /5 layers, 8 iterations each, 10 sequences/)
    assert.isAbove((await forecastOf({ iterations: 800 })).seconds!, 2 * seconds!)
    assert.isAbove((await forecastOf({ batch: 10 })).memoryBytes, memoryBytes)
    // The mixture has 40 records at 2 percent.
    assert.match((await forecastOf({ documents: 100_000 })).lines.join(), /iterations each, 40 sequences/)
    const trained = { ...shortStages.blockwise, documents: 40 }
    assert.match((await ofStage(trained)).lines.join(), /5 layers, 28 iterations each, 40 sequences/)
    assert.isAbove((await ofStage({ ...trained, epochs: 200 })).seconds!, 2 * (await ofStage(trained)).seconds!)
    const text = { calibration: join(nanoData, "calibration.jsonl"), documents: 24, block: 64 }
    assert.match((await forecastOf(text)).lines.join(), /iterations each, \d+ sequences/)
  })

  it("counts the tiles that calibration images really have", async () => {
    const linesOf = async (count: number) =>
      (await planOf({ ...recipeOf(), stages: [{ ...shortStages.adaround, count }] })).stages[0]!.forecast.lines.join()
    assert.match(await linesOf(12), /20 iterations each, 12 tiles/)
    assert.match(await linesOf(100_000), /20 iterations each, (?!100000)\d+ tiles/)
  })

  it("knows how long training the tower's blocks takes: longer with more epochs", async () => {
    const ofEpochs = async (epochs: number) =>
      (await planOf({ ...recipeOf(), stages: [{ ...shortStages.blockwiseVit, epochs }] })).stages[0]!.forecast
    const five = await ofEpochs(5)
    assert.match(five.lines.join(), /15 iterations each, 12 tiles/)
    assert.isAbove((await ofEpochs(500)).seconds!, 2 * five.seconds!)
  })
})

describe("the forecast of a stage that trains", () => {
  const secondsOf = async (meta: string, more: object = {}) => {
    const stage = { ...shortStages.qat, data: { meta }, batch: 1, accumulation: 1, ...more }
    return (await planOf({ ...recipeOf(), stages: [stage] })).stages[0]!.forecast.seconds!
  }

  it("is of the very samples that the first steps take, where all were looked at", async () => {
    // One of ten records is very long: the step that has it takes longer than one that has not.
    const longest = { ...text, answer: "a long text ".repeat(400) }
    const meta = dataOf("one", [...Array.from({ length: 9 }, () => text), longest])
    const stepOf = async (seed: number) => {
      const stage = {
        ...shortStages.qat,
        data: { meta },
        batch: 1,
        accumulation: 1,
        maxSteps: 1,
        loss: { confidence: 0.5 }
      }
      return (await planOf({ ...recipeOf(), seed, stages: [stage] })).stages[0]!.forecast.seconds!
    }
    const times = await Promise.all(Array.from({ length: 30 }, (_, seed) => stepOf(seed)))
    const most = Math.max(...times)
    assert.strictEqual(new Set(times).size, 2)
    const many = times.filter((seconds) => seconds === most).length
    assert.isTrue(many > 0 && many < 12, `${many} of 30`)
  })

  it("grows with steps, tiles and the length of texts, and shrinks where features are kept", async () => {
    const [pictures, texts] = [dataOf("pictures", [pictureRecord(1)]), dataOf("texts", [text])]
    const long = dataOf("long", [{ ...text, answer: "a long text ".repeat(60) }])
    const epochs = { epochs: 20, maxSteps: 20, loss: { confidence: 0.5 } }
    const some = await secondsOf(texts, { ...epochs, epochs: 10, maxSteps: 10 })
    assert.isAbove((await secondsOf(texts, epochs)) / some, 1.05)
    assert.isAbove(await secondsOf(long, epochs), await secondsOf(texts, epochs))
    const kept = await secondsOf(pictures, epochs)
    assert.isAbove(await secondsOf(pictures, { ...epochs, featureCache: "0 B" }), kept)
  })

  it("has no tower in epochs after the first where features are kept on disk, and says what they take", async () => {
    const { config } = await Effect.runPromise(openModelDirectory(model))
    const count = 4 * tokensPerTile(config) * config.vision_config.hidden_size
    const bytes = (count: number) => Schema.decodeSync(Schema.ByteSizeFromString)(`${count} B`)
    const [f32, bf16] = [recordBytes("f32", count), recordBytes("bf16", count)]
    const limit = bytes(10 * f32)
    const inMemory = (tiles: number) => ({ featureCache: bytes(4 * count * tiles) })
    const onDisk = (numbers: "f32" | "bf16") => ({ features: { directory: "d", limit, numbers } })
    assert.strictEqual(roomForTiles(config, inMemory(0), {}), 0)
    assert.strictEqual(roomForTiles(config, inMemory(0), { features: { limit, numbers: "f32" } }), 0)
    assert.strictEqual(roomForTiles(config, inMemory(0), onDisk("f32")), 10)
    assert.strictEqual(roomForTiles(config, inMemory(0), onDisk("bf16")), (10 * f32) / bf16)
    assert.strictEqual(roomForTiles(config, inMemory(11), onDisk("f32")), 11)

    const meta = dataOf("on-disk", [pictureRecord(1), pictureRecord(2)])
    const stage = { ...shortStages.qat, data: { meta }, epochs: 20, maxSteps: 20, loss: { confidence: 0.5 } }
    const linesOf = async (features?: object) => {
      const planned = await planOf({ ...recipeOf(), stages: [stage], ...(features && { features }) })
      return planned.stages[0]!.forecast.lines.join("\n")
    }
    const directory = join(root, "not", "made", "yet")
    assert.notMatch(await linesOf(), /features of/)
    assert.match(
      await linesOf({ directory }),
      /features of 2 tiles through frozen towers take .* in .*not\/made\/yet, where .* is free;/
    )
    assert.isFalse(existsSync(directory))
    assert.match(await linesOf({ directory, limit: "1 B" }), /more than features\.limit, 1 B/)
  })
})
