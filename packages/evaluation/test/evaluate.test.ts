import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { assert } from "vitest"
import { hallusionBench } from "../src/benchmarks/HallusionBench.ts"
import { mmmuDevVal } from "../src/benchmarks/MmmuDevVal.ts"
import { mmStar } from "../src/benchmarks/MmStar.ts"
import { readDataFile } from "../src/data/DataFile.ts"
import { AnswerFailed } from "../src/Errors.ts"
import { readPredictions } from "../src/predictions/readPredictions.ts"
import { Answerer, type AnswerRequest } from "../src/run/Answerer.ts"
import { evaluate } from "../src/run/evaluate.ts"
import type { Progress } from "../src/run/Progress.ts"
import type { EvaluateOptions } from "../src/run/questions.ts"
import { score } from "../src/scoring/Score.ts"
import { fileIn, noise, pngBase64, temporaryDirectory, tsvOf } from "./dataFiles.ts"

const header = ["index", "image", "question", "A", "B", "answer", "category"]
const count = 8

/** Eight rows of choices, images of different sizes. */
const dataIn = (directory: string) =>
  Effect.gen(function* () {
    const images = yield* Effect.forEach(
      Array.from({ length: count }, (_, i) => i),
      (i) => Effect.promise(() => pngBase64(i, 5 + i, 7))
    )
    const rows = images.map((image, i) => [
      String(i + 1),
      image,
      `question ${i + 1}`,
      "cat",
      "dog",
      i % 2 === 0 ? "A" : "B",
      "c"
    ])
    return fileIn(directory, "MMStar.tsv", tsvOf(header, rows))
  })

/** Answers A to everything and remembers what it was asked; fails or waits at a row if told so. */
const model = (
  asked: AnswerRequest[],
  options: {
    readonly name?: string
    readonly at?: (request: AnswerRequest) => Effect.Effect<string, AnswerFailed>
  } = {}
) =>
  Answerer.of({
    model: options.name ?? "model-1",
    answer: (request) => {
      asked.push(request)
      return options.at?.(request) ?? Effect.succeed("A")
    }
  })

const setUp = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const data = yield* dataIn(directory)
  const options: EvaluateOptions = { data, out: join(directory, "out"), name: "m" }
  return { directory, options }
})

describe("evaluate", () => {
  it.effect("asks every row with its image, prompt, tiles and settings; writes predictions, journal and score", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const asked: AnswerRequest[] = []
      const events: Progress[] = []
      const result = yield* evaluate(mmStar, {
        ...options,
        onProgress: (event) => Effect.sync(() => void events.push(event))
      }).pipe(Effect.provideService(Answerer, model(asked)))
      assert.deepStrictEqual(
        asked.map((request) => request.index),
        ["1", "2", "3", "4", "5", "6", "7", "8"]
      )
      assert.deepStrictEqual(asked[2], {
        index: "3",
        images: [{ width: 7, height: 7, data: noise(2, 7, 7) }],
        prompt: "<image>\nquestion 3\nA. cat\nB. dog\nAnswer with the option's letter from the given choices directly.",
        maxTiles: 6,
        upscaleFirst2x: false,
        generation: { sample: false, maxNewTokens: 4096, temperature: 0.6, topP: 0.95 }
      })
      assert.strictEqual(result.score.overall, 50)
      assert.strictEqual(result.published, false)
      assert.deepStrictEqual(
        events.map((event) => event._tag),
        ["NotThePublishedFile", "Started", ...Array.from({ length: count }, () => "Answered"), "Written"]
      )
      const answered = events.filter((event) => event._tag === "Answered")
      assert.deepStrictEqual(
        answered.map(({ done, total }) => [done, total]),
        Array.from({ length: count }, (_, i) => [i + 1, count])
      )
      assert.strictEqual(answered.at(-1)!.left, 0)
      assert.match(result.predictionsFile, /out\/m_MMStar\.xlsx$/)
      assert.deepStrictEqual((yield* readPredictions(result.predictionsFile)).length, count)
      assert.strictEqual(JSON.parse(readFileSync(result.resultFile, "utf8")).overall, 50)
    })
  )

  it.effect("a file with the published md5 is told from any other", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const md5 = createHash("md5").update(readFileSync(options.data)).digest("hex")
      const events: Progress[] = []
      const run = (published: string) => {
        const own = { ...mmStar, origin: { url: "https://example.org/MMStar.tsv", md5: published } }
        const onProgress = (event: Progress) => Effect.sync(() => void events.push(event))
        return evaluate(own, { ...options, onProgress }).pipe(Effect.provideService(Answerer, model([])))
      }
      assert.strictEqual((yield* run(md5)).published, true)
      assert.isFalse(events.some((event) => event._tag === "NotThePublishedFile"))
      const found = events.find((event) => event._tag === "PublishedFile")
      assert.deepInclude(found, { file: options.data, md5, url: "https://example.org/MMStar.tsv" })
      const other = "0".repeat(32)
      assert.strictEqual((yield* run(other)).published, false)
      const told = events.find((event) => event._tag === "NotThePublishedFile")
      assert.deepInclude(told, { file: options.data, md5, published: other, url: "https://example.org/MMStar.tsv" })
    })
  )

  it.effect("several images: numbered marks, shared tiles, the first enlarged", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const [a, b] = [yield* Effect.promise(() => pngBase64(1)), yield* Effect.promise(() => pngBase64(2))]
      const rows = [
        ["validation_1", `['${a}', '${b}']`, "which <image 2>?", "x", "y", "A", "validation"],
        ["validation_2", a, "多少", "", "", "24", "validation"]
      ]
      const data = fileIn(directory, "d.tsv", tsvOf(["index", "image", "question", "A", "B", "answer", "split"], rows))
      const asked: AnswerRequest[] = []
      const { score: result } = yield* evaluate(mmmuDevVal, { data, out: directory, name: "m" }).pipe(
        Effect.provideService(
          Answerer,
          model(asked, { at: ({ index }) => Effect.succeed(index === "validation_1" ? "A" : "24") })
        )
      )
      assert.match(asked[0]!.prompt, /^Image-1: <image>\nImage-2: <image>\nwhich <image 2>\?\nA\. x\nB\. y\n/)
      assert.deepStrictEqual([asked[0]!.maxTiles, asked[0]!.upscaleFirst2x, asked[0]!.images.length], [12, true, 2])
      assert.strictEqual(asked[1]!.prompt, "<image>\n多少\n请直接回答问题。")
      assert.strictEqual(result.overall, 100)
    })
  )

  it.effect("a failing row ends the run with file, row and reason; the next run asks only what is left", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const asked: AnswerRequest[] = []
      const at = ({ index }: AnswerRequest) =>
        index === "5" ? Effect.fail(new AnswerFailed({ reason: "out of memory" })) : Effect.succeed("A")
      const error = yield* Effect.flip(
        evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model(asked, { at })))
      )
      assert.strictEqual(error._tag, "RowNotAnswered")
      assert.match(
        error.message,
        /MMStar\.tsv, row 5 \(index 5\): not answered: out of memory; earlier answers are kept in .*m_MMStar\.journal\.jsonl/
      )
      assert.isFalse(existsSync(join(options.out, "m_MMStar.xlsx")))
      const events: Progress[] = []
      const again: AnswerRequest[] = []
      const result = yield* evaluate(mmStar, {
        ...options,
        onProgress: (event) => Effect.sync(() => void events.push(event))
      }).pipe(Effect.provideService(Answerer, model(again)))
      assert.deepStrictEqual(
        again.map((request) => request.index),
        ["5", "6", "7", "8"]
      )
      assert.deepStrictEqual(
        events.find((event) => event._tag === "Started"),
        { _tag: "Started", benchmark: "MMStar", rows: count, answered: 4, dropped: 0 }
      )
      assert.strictEqual(result.score.counts.answered, count)
    })
  )

  it.effect("an interrupted run keeps what it has", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const reached = yield* Deferred.make<void>()
      const at = ({ index }: AnswerRequest) =>
        index === "4" ? Effect.andThen(Deferred.succeed(reached, undefined), Effect.never) : Effect.succeed("A")
      const fiber = yield* Effect.forkChild(
        evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model([], { at })))
      )
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
      const again: AnswerRequest[] = []
      yield* evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model(again)))
      assert.deepStrictEqual(
        again.map((request) => request.index),
        ["4", "5", "6", "7", "8"]
      )
    })
  )

  it.effect(
    "rows whose images do not decode are named when all others are answered; repaired, only they are asked",
    () =>
      Effect.gen(function* () {
        const { options } = yield* setUp
        const whole = readFileSync(options.data, "utf8")
        const lines = whole.split("\n")
        const broken = (line: string) => line.replace(/iVBOR[^"]+/, "Q".repeat(100))
        writeFileSync(options.data, lines.with(3, broken(lines[3]!)).with(5, broken(lines[5]!)).join("\n"))
        const [asked, again]: [AnswerRequest[], AnswerRequest[]] = [[], []]
        const error = yield* Effect.flip(evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model(asked))))
        assert.strictEqual(error._tag, "RowsUnreadable")
        assert.match(
          error.message,
          /MMStar\.tsv, row 3 \(index 3\), column "image": image: not an image that can be read.*; 1 more cannot be asked: row 5 \(index 5\); all other rows are answered and kept in .*journal\.jsonl/
        )
        assert.strictEqual(asked.length, 6)
        writeFileSync(options.data, whole)
        const { score: result } = yield* evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model(again)))
        assert.deepStrictEqual(
          again.map(({ index }) => index),
          ["3", "5"]
        )
        assert.strictEqual(result.counts.answered, count)
      })
  )

  it.effect(
    "answers stand as long as their questions do: text, options and picture; the rest is said in one event",
    () =>
      Effect.gen(function* () {
        const { options } = yield* setUp
        const lines = readFileSync(options.data, "utf8").split("\n")
        const other = yield* Effect.promise(() => pngBase64(99))
        yield* evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model([])))
        const run = (changed: readonly string[]) =>
          Effect.gen(function* () {
            writeFileSync(options.data, changed.join("\n"))
            const asked: AnswerRequest[] = []
            const events: Progress[] = []
            const onProgress = (event: Progress) => Effect.sync(() => void events.push(event))
            yield* evaluate(mmStar, { ...options, onProgress }).pipe(Effect.provideService(Answerer, model(asked)))
            return { asked: asked.map(({ index }) => index), said: events.find(({ _tag }) => _tag === "RowsChanged") }
          })
        const changed = lines
          .with(1, lines[1]!.replace("question 1", "question one"))
          .with(2, lines[2]!.replace('"dog"', '"wolf"'))
          .with(3, lines[3]!.replace(/iVBOR[^"]+/, other))
          // What the model does not see.
          .with(4, lines[4]!.replace('"B"\t"c"', '"A"\t"d"'))
          .toSpliced(8, 1)
        assert.deepStrictEqual(yield* run(changed), {
          asked: ["1", "2", "3"],
          said: { _tag: "RowsChanged", file: options.data, kept: 4, changed: 3, gone: 1 }
        })
        // Quoted otherwise, in another order: the same questions. The first file's answers are there still.
        assert.deepStrictEqual((yield* run([lines[0]!, ...lines.slice(1, 9).toReversed()])).asked, [])
      })
  )

  it.effect("a picture in a file that changes is asked again", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const write = (seed: number) =>
        Effect.map(
          Effect.promise(() => pngBase64(seed)),
          (png) => fileIn(directory, "1.png", Buffer.from(png, "base64"))
        )
      yield* write(1)
      const columns = ["index", "image_path", "question", "A", "B", "answer"]
      const data = fileIn(directory, "d.tsv", tsvOf(columns, [["1", "1.png", "q", "x", "y", "A"]]))
      const asked: AnswerRequest[] = []
      const run = evaluate(mmStar, { data, out: directory, name: "m" }).pipe(
        Effect.provideService(Answerer, model(asked))
      )
      yield* run
      yield* run
      assert.strictEqual(asked.length, 1)
      yield* write(2)
      yield* run
      assert.strictEqual(asked.length, 2)
    })
  )

  it.effect("a damaged line of the journal is said, and its row asked again", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      yield* evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model([])))
      const journal = join(options.out, "m_MMStar.journal.jsonl")
      const lines = readFileSync(journal, "utf8").split("\n")
      writeFileSync(journal, lines.with(4, lines[4]!.replace('"A"', '"B"')).join("\n"))
      const asked: AnswerRequest[] = []
      const events: Progress[] = []
      const onProgress = (event: Progress) => Effect.sync(() => void events.push(event))
      yield* evaluate(mmStar, { ...options, onProgress }).pipe(Effect.provideService(Answerer, model(asked)))
      assert.deepStrictEqual(
        asked.map(({ index }) => index),
        ["4"]
      )
      assert.deepInclude(events, { _tag: "JournalDamaged", file: journal, lines: 1 })
    })
  )

  it.effect("a limit asks the first rows; without it the run continues from there", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const [some, rest]: [AnswerRequest[], AnswerRequest[]] = [[], []]
      const first = yield* evaluate(mmStar, { ...options, limit: 3 }).pipe(Effect.provideService(Answerer, model(some)))
      assert.deepStrictEqual(first.score.counts, { rows: count, answered: 3, missing: 5 })
      const inOut = (file: string) => join(options.out, file)
      assert.strictEqual(first.predictionsFile, inOut("m_MMStar_first3.xlsx"))
      const whole = yield* evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model(rest)))
      assert.deepStrictEqual(
        rest.map((request) => request.index),
        ["4", "5", "6", "7", "8"]
      )
      // Asking fewer rows afterwards leaves the files of all rows as they are.
      const files = [whole.predictionsFile, whole.scoreFile, whole.resultFile]
      assert.deepStrictEqual(files, ["m_MMStar.xlsx", "m_MMStar_acc.csv", "m_MMStar_result.json"].map(inOut))
      const before = files.map((file) => readFileSync(file, "hex"))
      yield* evaluate(mmStar, { ...options, limit: 2 }).pipe(Effect.provideService(Answerer, model(rest)))
      assert.deepStrictEqual(
        files.map((file) => readFileSync(file, "hex")),
        before
      )
      assert.strictEqual(rest.length, 5)
    })
  )

  it.effect("a row that cannot be scored is told before any is asked", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const lines = readFileSync(options.data, "utf8").split("\n")
      writeFileSync(options.data, lines.with(6, lines[6]!.replace('"B"\t"c"', '"D"\t"c"')).join("\n"))
      const asked: AnswerRequest[] = []
      const error = yield* Effect.flip(evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model(asked))))
      assert.match(
        error.message,
        /MMStar\.tsv, row 6 \(index 6\), column "answer": "D" is no letter of the row, which has A, B; correct the cell/
      )
      assert.isEmpty(asked)
    })
  )

  it.effect("another model or another way of storing images does not continue a run", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      yield* evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model([])))
      const other = yield* Effect.flip(
        evaluate(mmStar, options).pipe(Effect.provideService(Answerer, model([], { name: "model-2" })))
      )
      assert.strictEqual(other._tag, "JournalMismatch")
      assert.match(other.message, /written for model model-1, but this run has model-2/)
      const jpeg = yield* Effect.flip(
        evaluate(mmStar, { ...options, imageStore: "jpeg75" }).pipe(Effect.provideService(Answerer, model([])))
      )
      assert.match(jpeg.message, /written for settings /)
    })
  )

  it.effect("a model's name cannot leave the directory", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const error = yield* Effect.flip(
        evaluate(mmStar, { ...options, name: "../m" }).pipe(Effect.provideService(Answerer, model([])))
      )
      assert.strictEqual(error._tag, "NameInvalid")
      assert.match(error.message, /^"\.\.\/m" cannot name files/)
    })
  )

  it.effect("an answer too long for a sheet is cut there, told, and scored as the file has it", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const events: Progress[] = []
      const long = `${"x ".repeat(20_000)}A`
      const run = (format: "xlsx" | "tsv") =>
        evaluate(mmStar, {
          ...options,
          format,
          limit: 1,
          onProgress: (event) => Effect.sync(() => void events.push(event))
        }).pipe(Effect.provideService(Answerer, model([], { at: () => Effect.succeed(long) })))
      assert.strictEqual((yield* run("xlsx")).score.overall, 0)
      const cut = events.find((event) => event._tag === "CellsCut")
      assert.deepStrictEqual(cut?.cells, [{ index: "1", column: "prediction", length: 40_001 }])
      // The journal has the whole answer: the same run as TSV scores it.
      assert.strictEqual((yield* run("tsv")).score.overall, 100)
    })
  )
})

describe("scores do not depend on", () => {
  const subjects = ["illusion", "chart", "map"]
  const rows = Array.from({ length: 24 }, (_, i) => {
    const subject = subjects[i % 3]!
    return { index: `VD_${subject}_1_${i % 2}_${i % 4}_${i % 5}_${i}`, answer: i % 3 === 0 ? "Yes" : "No", subject }
  })
  const says = (index: string): string =>
    index.length % 2 === 0 ? "yes" : Number(index.at(-1)) % 2 === 0 ? "No." : "I cannot tell"
  const columns = ["index", "image", "question", "answer", "category", "l2-category"]

  const write = (directory: string, order: readonly number[]) =>
    Effect.promise(() => pngBase64(1)).pipe(
      Effect.map((image) => {
        const cells = order.map((i) => [
          rows[i]!.index,
          i === order[0] ? image : rows[order[0]!]!.index,
          "q",
          rows[i]!.answer,
          "VD",
          `VD_${rows[i]!.subject}`
        ])
        return fileIn(directory, "d.tsv", tsvOf(columns, cells))
      })
    )
  const answerer = (failAfter: number) => {
    let asked = 0
    return Answerer.of({
      model: "m",
      answer: ({ index }) =>
        asked++ === failAfter ? Effect.fail(new AnswerFailed({ reason: "stopped" })) : Effect.succeed(says(index))
    })
  }
  const summary = (result: { readonly overall: number; readonly splits: unknown; readonly categories: unknown }) => ({
    overall: result.overall,
    splits: result.splits,
    categories: result.categories
  })

  it.effect(
    "the order of rows, stops at any row, cuts of the journal at any byte, or how many rows are asked at once",
    () =>
      Effect.gen(function* () {
        const indexes = rows.map((_, i) => i)
        const straight = yield* temporaryDirectory
        const expected = yield* evaluate(hallusionBench, {
          data: yield* write(straight, indexes),
          out: straight,
          name: "m",
          format: "tsv"
        }).pipe(Effect.provideService(Answerer, answerer(Number.POSITIVE_INFINITY)))
        const arbitrary = fc.record({
          order: fc.shuffledSubarray(indexes, { minLength: rows.length }),
          stops: fc.array(fc.nat(rows.length), { maxLength: 2 }),
          cut: fc.double({ min: 0, max: 1, noNaN: true }),
          concurrency: fc.integer({ min: 1, max: 4 }),
          format: fc.constantFrom("tsv" as const, "json" as const, "xlsx" as const)
        })
        for (const { order, stops, cut, concurrency, format } of fc.sample(arbitrary, { seed: 31, numRuns: 15 })) {
          const directory = yield* temporaryDirectory
          const options = { data: yield* write(directory, order), out: directory, name: "m", concurrency, format }
          for (const stop of stops) {
            yield* Effect.exit(evaluate(hallusionBench, options).pipe(Effect.provideService(Answerer, answerer(stop))))
            const journal = join(directory, "m_HallusionBench.journal.jsonl")
            const bytes = readFileSync(journal)
            writeFileSync(journal, bytes.subarray(0, Math.floor(cut * bytes.length)))
          }
          const result = yield* evaluate(hallusionBench, options).pipe(
            Effect.provideService(Answerer, answerer(Number.POSITIVE_INFINITY))
          )
          assert.deepStrictEqual(summary(result.score), summary(expected.score))
          const data = yield* readDataFile(options.data, hallusionBench, { purpose: "score" })
          const again = yield* score(
            hallusionBench,
            data.rows,
            (yield* readPredictions(result.predictionsFile)).toReversed()
          )
          assert.deepStrictEqual(summary(again), summary(expected.score))
        }
      })
  )
})
