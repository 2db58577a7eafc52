/** A check of data finds what training would meet, and names each line; a preview shows what the model will see. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Events, Recipe, type Report, renderReport, stageSeed } from "@speedq/pipeline"
import { bilevel, rule } from "@speedq/quantizers"
import { DatasetInvalid } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { checkData } from "../src/check/checkData.ts"
import { type CheckedData, checkedDataOf, ownData } from "../src/check/checkedData.ts"
import { quantilesOf } from "../src/check/DataCheck.ts"
import { previewData } from "../src/check/preview.ts"
import { openSampleSource } from "../src/data/SampleSource.ts"
import { SampleWorkers } from "../src/data/SampleWorkers.ts"
import { Qat } from "../src/qat/Qat.ts"
import { RoundLanguage } from "../src/roundLanguage/RoundLanguage.ts"
import type { DataConfig } from "../src/training/TrainingConfig.ts"
import { OptimizationConfig } from "../src/training/TrainingConfig.ts"
import { nanoData } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runtime = ManagedRuntime.make(Layer.merge(SampleWorkers.layer({ count: 1 }), Events.layer))
const { root, model } = await nanoFolder("data-check", runtime)

const record = (question: string, answer: string | undefined, shown: object = {}): string =>
  JSON.stringify({
    ...shown,
    conversations: [
      { from: "human", value: question },
      ...(answer === undefined ? [] : [{ from: "gpt", value: answer }])
    ]
  })

const long = "word ".repeat(300)

/** One of each: lines 1 to 4 are good, of 5 to 8 something is not learned, the others cannot be used. */
const mixed = [
  record("What is <script>alert(1)</script>?", "red & <b>green</b>", { image: "a.png" }),
  record("<image><image>?", "both", { image: ["a.png", "b.png"] }),
  record("Say it.", "text alone"),
  record("<video>\nWhat moves?", "it", { video: "frames" }),
  record("What?", undefined),
  record(long, "late"),
  record("What?", long),
  record("<image>?", undefined, { image: "a.png" }),
  record("What?", "cut", { image: "cut.png" }),
  record("What?", "gone", { image: "none.png" }),
  record("<image>?", "no picture"),
  record("a<|im_end|>", "control"),
  '{"bad": json',
  "{}"
]

const writeData = (name: string, lines: readonly string[], more: object = {}): string => {
  const directory = join(root, name)
  mkdirSync(join(directory, "frames"), { recursive: true })
  for (const [file, picture] of Object.entries({ "a.png": 1, "b.png": 2, "frames/1.png": 3, "frames/2.png": 4 })) {
    copyFileSync(join(nanoData, `images/000${picture}.png`), join(directory, file))
  }
  const whole = readFileSync(join(directory, "a.png"))
  writeFileSync(join(directory, "cut.png"), whole.subarray(0, whole.length - 40))
  writeFileSync(join(directory, "set.jsonl"), lines.join("\n"))
  const meta = join(directory, "meta.json")
  writeFileSync(meta, JSON.stringify({ set: { root: directory, annotation: "set.jsonl", ...more } }))
  return meta
}

const own = (meta: string, options: Partial<typeof DataConfig.Encoded> = {}): CheckedData =>
  ownData({ meta, percent: 0, maxLength: 128, ...options }, { model, seed: 4 })
const check = (checked: CheckedData, options: { readonly decode?: boolean } = {}) =>
  runtime.runPromise(checkData(checked, options))

describe("checkData", () => {
  it("counts what records show, how long they are, and names each line that is bad or not learned from", async () => {
    const meta = writeData("mixed", mixed, { repeat_time: 2 })
    const { datasets, named, problems, warnings } = await check(own(meta), { decode: true })
    const [set] = datasets
    assert.deepInclude(set, { name: "set", lines: 14, records: 14, samples: 28, usable: 8, cut: 2 })
    assert.deepStrictEqual(set!.shows, { text: 4, image: 2, images: 1, video: 1 })
    assert.deepStrictEqual(
      named.map(({ file, line, fault }) => [file.endsWith("set.jsonl"), line, fault]),
      [
        [true, 5, "no answer"],
        [true, 6, "answer cut off"],
        [true, 8, "no answer"],
        [true, 9, "unreadable file"],
        [true, 10, "missing file"],
        [true, 11, "placeholders"],
        [true, 12, "control token"],
        [true, 13, "no record"],
        [true, 14, "no record"]
      ]
    )
    assert.deepStrictEqual(set!.faults, {
      "no answer": 2,
      "answer cut off": 1,
      "unreadable file": 1,
      "missing file": 1,
      placeholders: 1,
      "control token": 1,
      "no record": 2
    })
    assert.match(named[4]!.reason, /none\.png/)
    assert.match(problems.join("\n"), /^6 records cannot be used, and the stage ends at the first of them/)
    assert.match(warnings.join("\n"), /nothing is learned from 6 of 16 .*samples: 4 have no answer, the answers of 2/)
  })

  it("finds damaged pixels only where it decodes", async () => {
    const meta = writeData("headers", [record("What?", "cut", { image: "cut.png" }), record("What?", "a")])
    const [headers, pixels] = [await check(own(meta)), await check(own(meta), { decode: true })]
    assert.deepStrictEqual([headers.decoded, headers.named.length, headers.problems.length], [false, 0, 0])
    assert.deepStrictEqual([pixels.decoded, pixels.named.length, pixels.problems.length], [true, 1, 1])
  })

  it("counts the tokens, labels and tiles that training makes", async () => {
    const meta = writeData("lengths", mixed.slice(0, 7))
    const checked = own(meta)
    const optimization = Schema.decodeUnknownSync(OptimizationConfig)({ groupByLength: false, accumulation: 1 })
    const batches = await runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { data, seed } = checked
          const source = yield* openSampleSource({ model, data, optimization, seed: { selection: 4, order: seed } })
          const steps = Array.from({ length: source.steps }, (_, step) => source.microBatchesOf(step)).flat()
          return yield* Effect.forEach(steps, source.take)
        })
      )
    )
    const lengths = batches.map(({ inputIds, cut }) => inputIds.length + cut[0]!)
    const tiles = batches.map(({ tilesOf }) => tilesOf[0]!)
    const [set] = (await check(checked)).datasets
    assert.strictEqual(batches.length, 7)
    assert.deepStrictEqual(set!.tokens, quantilesOf(lengths))
    assert.deepStrictEqual(set!.tiles, { total: tiles.reduce((a, b) => a + b), max: Math.max(...tiles) })
  })

  it("says whether a stage would end by what becomes of bad records", async () => {
    const problemsOf = async (
      name: string,
      lines: readonly string[],
      options: Partial<typeof DataConfig.Encoded> = {}
    ) => (await check(own(writeData(name, lines), { onError: "substitute", ...options }))).problems.join("\n")
    const [good, bad] = [record("What?", "a"), "{}"]
    assert.strictEqual(await problemsOf("few", [good, good, good, bad]), "")
    assert.match(
      await problemsOf("most", [good, ...Array.from({ length: 30 }, () => bad)]),
      /30 of 31 records .* cannot be used/
    )
    assert.match(await problemsOf("none", [bad, bad]), /no record of data set set can be used/)
    assert.match(await problemsOf("unlearned", [record("What?", undefined)]), /there is nothing to learn/)
    assert.match(await problemsOf("empty", [good], { percent: 1 }), /selects no sample/)
  })

  it("names annotation files that are not there", async () => {
    const meta = join(root, "absent.json")
    writeFileSync(
      meta,
      JSON.stringify({ a: { root: ".", annotation: "a.jsonl" }, b: { root: ".", annotation: "b.jsonl" } })
    )
    const error = await runtime.runPromise(Effect.flip(checkData(own(meta))))
    assert.instanceOf(error, DatasetInvalid)
    assert.match(error.message, /2 of its annotation files do not exist: .*a\.jsonl, .*b\.jsonl; get the data sets/)
  })
})

describe("checkedDataOf", () => {
  it("is the data of all stages that read records, with their own options, once where they make the same samples", () => {
    const data = { meta: "meta.json", maxTiles: 2 }
    const quantizers = [rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))]
    const recipe = Recipe.make({ name: "r", model: "m", seed: 7 }).pipe(
      Recipe.andThen(Qat.stage({ data, quantizers })),
      Recipe.andThen(RoundLanguage.stage({ quantizers })),
      Recipe.andThen(Qat.stage({ data: { ...data, pictures: "bytes", workers: 3 }, quantizers })),
      Recipe.andThen(Qat.stage({ data: { ...data, onError: "substitute" }, compat: "reference", quantizers }))
    )
    const found = checkedDataOf([recipe, recipe])
    assert.deepStrictEqual(
      found.map(({ stages, compat, seed, data: { maxTiles, maxLength, onError } }) => [
        stages,
        compat,
        seed,
        maxTiles,
        maxLength,
        onError
      ]),
      [
        [["01-qat", "03-qat-2"], "careful", stageSeed(7, "qat"), 2, 8192, "fail"],
        [["04-qat-3"], "reference", stageSeed(7, "qat-3"), 2, 8192, "substitute"]
      ]
    )
  })
})

describe("previewData", () => {
  const preview = async (meta: string, samples: number, options: Partial<typeof DataConfig.Encoded> = {}) => {
    const sections = await Effect.runPromise(previewData(own(meta, options), samples))
    return sections.map((section) => {
      if (section._tag !== "Transcript") return assert.fail(section._tag)
      return section
    })
  }
  type Transcript = typeof Report.Transcript.Type
  const said = (section: Transcript | undefined, as: string): string =>
    section!.pieces.flatMap((piece) => (piece.as === as ? [piece.text] : [])).join("")

  it("shows tiles, text, labels and what is cut off, each in its place, and runs nothing that a record says", async () => {
    const sections = await preview(writeData("shown", mixed.slice(0, 7)), 10)
    const at = (line: number) => sections.find(({ title }) => title.endsWith(`set.jsonl:${line}`))
    assert.strictEqual(sections.length, 7)
    assert.strictEqual(said(at(1), "learned"), "red & <b>green</b><|im_end|>")
    assert.match(said(at(1), "read"), /<\|im_start\|>user\n<img><IMG_CONTEXT> \u00d7 \d+<\/img>\nWhat is <script>/)
    assert.strictEqual(at(2)!.images.length, 2)
    assert.strictEqual(at(3)!.images.length, 0)
    assert.strictEqual(said(at(6), "learned"), "")
    assert.match(said(at(6), "cut"), /word word .*assistant\nlate<\|im_end\|>\n$/s)
    assert.match(said(at(7), "learned"), /^word word /)
    assert.match(at(7)!.paragraphs.join(), /128 tokens, \d+ of them learned, 0 tiles, \d+ cut off at maxLength 128/)
    const page = renderReport({ title: "p", subtitle: "", chapters: [{ title: "c", sections }] })
    assert.notMatch(page, /<script|<b>|javascript:|https?:/)
    assert.include(page, "&lt;")
  })

  it("shows the record that takes the place of a bad one, and why; or where the stage ends", async () => {
    const meta = writeData("replaced", [record("What?", "good"), "{}"])
    const [replacing, failing] = [await preview(meta, 2, { onError: "substitute" }), await preview(meta, 2)]
    const replaced = replacing.find(({ paragraphs }) => paragraphs.length > 1)!
    assert.match(replaced.paragraphs.join("\n"), /set\.jsonl:2 cannot be used: .*\nThis record takes its place\./)
    assert.match(replaced.title, /set\.jsonl:1$/)
    assert.strictEqual(said(replaced, "learned"), "good<|im_end|>")
    assert.match(
      failing.find(({ pieces }) => pieces.length === 0)!.paragraphs.join(),
      /A stage ends here: .*set\.jsonl:2/
    )
  })
})

describe("quantilesOf", () => {
  it("are numbers of the list, at their ranks", () => {
    assert.isNull(quantilesOf([]))
    assert.deepStrictEqual(quantilesOf([3]), { min: 3, median: 3, p90: 3, max: 3 })
    const ten = [10, 1, 9, 2, 8, 3, 7, 4, 6, 5]
    assert.deepStrictEqual(quantilesOf(ten), { min: 1, median: 5, p90: 9, max: 10 })
  })
})
