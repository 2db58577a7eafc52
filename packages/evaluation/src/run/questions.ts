/** The questions of a benchmark: what is to be asked, and asking what the journal does not have yet. */
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Benchmark, tilesPerImage } from "../benchmarks/Benchmark.ts"
import { withImageMarks } from "../benchmarks/prompts.ts"
import { type DataFile, type DataRow, type ReadOptions, readDataFile } from "../data/DataFile.ts"
import { type RowImageOptions, rowImages } from "../data/rowImages.ts"
import { NameInvalid, type RowInvalid, RowNotAnswered, RowsUnreadable } from "../Errors.ts"
import type { Matcher } from "../matching/inferOption.ts"
import type { PredictionFormat } from "../predictions/writePredictions.ts"
import { requireScorable } from "../scoring/Score.ts"
import { Answerer, type AnswerRequest } from "./Answerer.ts"
import { type Journal, openJournal } from "./Journal.ts"
import type { Progress } from "./Progress.ts"
import { questionDigest } from "./questionDigest.ts"

export interface EvaluateOptions extends RowImageOptions, Omit<ReadOptions, "purpose"> {
  /** The TSV file. */
  readonly data: string
  /** Directory for journal, predictions and score; made when it is not there. */
  readonly out: string
  /** Name of the model in file names: `{name}_{benchmark}.xlsx`. */
  readonly name: string
  readonly format?: PredictionFormat
  readonly matcher?: Matcher
  /** Ask only so many rows, the first of the file; predictions and score are then named `{name}_{benchmark}_first{limit}`. */
  readonly limit?: number
  /** How many rows are asked at the same time; 1 unless the model can do several. */
  readonly concurrency?: number
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
  /**
   * Others who answer: given the questions that are open, in order, it gives what answers one of them by its place, or undefined where it is
   * to be asked here; undefined itself where all are. Lives as long as they are asked.
   */
  readonly elsewhere?: (open: readonly Asked[]) => Effect.Effect<AnswerOf | undefined, never, Scope.Scope>
}

type AnswerOf = (at: number) => Effect.Effect<string | undefined>

/** Whether the file is the one that the benchmark's origin publishes; undefined for a benchmark without an origin. */
export const isPublished = (benchmark: Benchmark, data: DataFile): boolean | undefined =>
  benchmark.origin === undefined ? undefined : data.md5 === benchmark.origin.md5

export const silent = (_: Progress): Effect.Effect<void> => Effect.void

/** What is asked about a row. Fails with FileFailed and RowInvalid where its images cannot be read. */
export const requestOf = Effect.fnUntraced(function* (
  benchmark: Benchmark,
  data: DataFile,
  row: DataRow,
  options: RowImageOptions = {}
) {
  const images = yield* rowImages(data, row, options)
  const request: AnswerRequest = {
    index: row.index,
    images,
    prompt: withImageMarks(benchmark.prompt(row), images.length),
    maxTiles: tilesPerImage(benchmark, images.length),
    upscaleFirst2x: benchmark.upscaleFirst2x,
    generation: benchmark.generation
  }
  return request
})

/** A row that is asked, and the digest of its question. */
interface Asked {
  readonly row: DataRow
  readonly question: string
}

/** Asks the rows that the journal does not have yet; gives all answers. Rows that cannot be asked are told when all others are answered. */
const answerRows = Effect.fnUntraced(function* (
  benchmark: Benchmark,
  data: DataFile,
  asked: readonly Asked[],
  journal: Journal,
  journalFile: string,
  options: EvaluateOptions
) {
  const { answer } = yield* Answerer
  const tell = options.onProgress ?? silent
  const answers = new Map(
    asked.flatMap(({ row, question }) => {
      const known = journal.answered.get(question)
      return known === undefined ? [] : [[row.index, known.prediction] as const]
    })
  )
  const before = answers.size
  const refused: RowInvalid[] = []
  const begun = yield* Clock.monotonicTimeNanos
  const open = asked.filter(({ row }) => !answers.has(row.index))
  const elsewhere = options.elsewhere && (yield* options.elsewhere(open))
  const ask = Effect.fnUntraced(
    function* ({ row, question }: Asked, at: number) {
      const failed = (error: { readonly reason: string }) =>
        new RowNotAnswered({
          file: data.file,
          row: row.row,
          index: row.index,
          reason: error.reason,
          journal: journalFile
        })
      const askHere = requestOf(benchmark, data, row, options).pipe(
        Effect.flatMap((request) => Effect.mapError(answer(request), failed))
      )
      const prediction = (elsewhere && (yield* elsewhere(at))) ?? (yield* askHere)
      yield* journal.append({ index: row.index, prediction, question })
      answers.set(row.index, prediction)
      const elapsed = Number((yield* Clock.monotonicTimeNanos) - begun) / 1e6
      const left = (elapsed / (answers.size - before)) * (asked.length - answers.size)
      yield* tell({ _tag: "Answered", index: row.index, done: answers.size, total: asked.length, elapsed, left })
    },
    Effect.catchTag("RowInvalid", (error) => Effect.sync(() => void refused.push(error)))
  )
  yield* Effect.forEach(open, ask, { concurrency: options.concurrency ?? 1, discard: true })
  const [first, ...others] = refused.sort((a, b) => a.row - b.row)
  if (first !== undefined) return yield* new RowsUnreadable({ rows: [first, ...others], keptIn: journalFile })
  return answers as ReadonlyMap<string, string>
})

/** What became of answers that are kept, where the data file changed since; undefined where it did not. */
const changesOf = (data: DataFile, asked: readonly Asked[], { answered }: Journal): Progress | undefined => {
  const known = new Set([...answered.values()].map(({ index }) => index))
  const present = new Set(data.rows.map(({ index }) => index))
  const kept = asked.filter(({ question }) => answered.has(question)).length
  const changed = asked.filter(({ row, question }) => known.has(row.index) && !answered.has(question)).length
  const gone = [...known].filter((index) => !present.has(index)).length
  return changed + gone === 0 ? undefined : { _tag: "RowsChanged", file: data.file, kept, changed, gone }
}

export const settingsOf = (
  { maxTiles, upscaleFirst2x, generation }: Benchmark,
  { imageStore = "lossless" }: EvaluateOptions
): string => JSON.stringify({ maxTiles, upscaleFirst2x, generation, imageStore })

/** What is to be asked, and where answers are kept. */
export interface Questions {
  readonly data: DataFile
  /** Whether the data file is the published one; undefined for a benchmark without one. */
  readonly published: boolean | undefined
  /** Those that are asked, in the order of the file, and with the digests of their questions. */
  readonly rows: readonly DataRow[]
  readonly asked: readonly Asked[]
  /** What names of files begin with. */
  readonly named: string
  readonly journalFile: string
}

/** Reads what is to be asked. Tells whether the file is the published one. */
export const openQuestions = Effect.fnUntraced(function* (benchmark: Benchmark, options: EvaluateOptions) {
  const tell = options.onProgress ?? silent
  if (!/^[^/\\\0]+$/.test(options.name)) {
    return yield* new NameInvalid({ text: options.name })
  }
  const named = join(options.out, `${options.name}_${benchmark.name}`)
  const data = yield* readDataFile(options.data, benchmark, { ...options, purpose: "ask" })
  const published = isPublished(benchmark, data)
  if (published !== undefined) {
    const { url, md5 } = benchmark.origin!
    const found = { file: data.file, md5: data.md5, url }
    yield* tell(
      published ? { _tag: "PublishedFile", ...found } : { _tag: "NotThePublishedFile", ...found, published: md5 }
    )
  }
  const rows = data.rows.slice(0, options.limit ?? data.rows.length)
  yield* requireScorable(benchmark, rows, data.file)
  const asked = yield* Effect.forEach(rows, (row) =>
    Effect.map(questionDigest(benchmark, data, row, options), (question): Asked => ({ row, question }))
  )
  const questions: Questions = { data, published, rows, asked, named, journalFile: `${named}.journal.jsonl` }
  return questions
})

/** Asks those of the questions that are meant and the journal does not have; gives their answers. */
export const askQuestions = Effect.fnUntraced(function* (
  benchmark: Benchmark,
  { data, journalFile }: Questions,
  asked: readonly Asked[],
  options: EvaluateOptions
) {
  const tell = options.onProgress ?? silent
  const { model } = yield* Answerer
  const key = { benchmark: benchmark.name, model, settings: settingsOf(benchmark, options) }
  const journal = yield* openJournal(journalFile, key)
  const answered = asked.filter(({ question }) => journal.answered.has(question)).length
  const changes = changesOf(data, asked, journal)
  if (journal.damaged > 0) yield* tell({ _tag: "JournalDamaged", file: journalFile, lines: journal.damaged })
  if (changes !== undefined) yield* tell(changes)
  yield* tell({ _tag: "Started", benchmark: benchmark.name, rows: asked.length, answered, dropped: data.dropped })
  return yield* answerRows(benchmark, data, asked, journal, journalFile, options)
}, Effect.scoped)
