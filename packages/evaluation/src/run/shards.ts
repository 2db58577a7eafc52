/** Evaluations that several processes or machines share: each asks some of the rows, and their journals are put together. */
import * as Effect from "effect/Effect"
import type { Benchmark } from "../benchmarks/Benchmark.ts"
import { AnswersDiffer, RowsMissing } from "../Errors.ts"
import { Answerer, type AnswerRequest } from "./Answerer.ts"
import { finishEvaluation } from "./evaluate.ts"
import { type JournalEntry, openJournal, readJournal, readJournalKey } from "./Journal.ts"
import { askQuestions, type EvaluateOptions, openQuestions, settingsOf, silent } from "./questions.ts"

/** Rows of a shard: those whose place in the file, counted from 0, leaves `index` - 1 when it is divided by `count`. */
export interface Shard {
  /** From 1 to `count`. */
  readonly index: number
  readonly count: number
}

export interface ShardEvaluated {
  readonly journalFile: string
  /** Rows that are answered now, all of the shard, of all that the benchmark has. */
  readonly answered: number
  readonly rows: number
}

/**
 * Asks one shard of a benchmark's rows, so that several processes or machines share them: answers are in the journal, as `evaluate`
 * keeps them, and `mergeShards` makes predictions and score of all. Each shard needs an `out` of its own.
 *
 * Fails as `evaluate` does.
 *
 * @example yield* evaluateShard(mmStar, { index: 2, count: 3 }, { data: "MMStar.tsv", out: "shard-2", name: "mine" })
 */
export const evaluateShard = Effect.fn("evaluation.evaluateShard")(function* (
  benchmark: Benchmark,
  { index, count }: Shard,
  options: EvaluateOptions
) {
  const questions = yield* openQuestions(benchmark, options)
  const { asked, journalFile } = questions
  const own = asked.filter((_, place) => place % count === index - 1)
  const answers = yield* askQuestions(benchmark, questions, own, options)
  const result: ShardEvaluated = { journalFile, answered: answers.size, rows: asked.length }
  return result
})

/** What is merged: the journals of all shards, and how `evaluate` would have been asked. */
export interface MergeOptions extends Omit<EvaluateOptions, "concurrency"> {
  readonly journals: readonly [string, ...string[]]
}

/**
 * Puts the answers of shards together: predictions and score in `out` are the bytes that one `evaluate` gives (an xlsx also says when it was written). Nothing is asked.
 *
 * Fails as `evaluate` does; with JournalMismatch where journals are of different models, benchmarks or settings; with FileFailed and
 * JournalDamaged for one that cannot be read; with RowsMissing where a row has no answer, and AnswersDiffer where it has two.
 *
 * @example yield* mergeShards(mmStar, { journals, data: "MMStar.tsv", out: "evaluations", name: "mine" })
 */
export const mergeShards = Effect.fn("evaluation.mergeShards")(function* (
  benchmark: Benchmark,
  { journals, ...options }: MergeOptions
) {
  const tell = options.onProgress ?? silent
  const questions = yield* openQuestions(benchmark, options)
  const { asked, data, journalFile } = questions
  const { model } = yield* readJournalKey(journals[0])
  const key = { benchmark: benchmark.name, model, settings: settingsOf(benchmark, options) }
  const found = new Map<string, JournalEntry & { readonly file: string }>()
  for (const file of journals) {
    const { answered, damaged } = yield* readJournal(file, key)
    if (damaged > 0) yield* tell({ _tag: "JournalDamaged", file, lines: damaged })
    for (const [question, entry] of answered) {
      const other = found.get(question)
      if (other !== undefined && other.prediction !== entry.prediction) {
        return yield* new AnswersDiffer({ row: entry.index, files: [other.file, file] })
      }
      found.set(question, { ...entry, file })
    }
  }
  const missing = asked.filter(({ question }) => !found.has(question)).map(({ row }) => row.index)
  if (missing.length > 0) {
    return yield* new RowsMissing({
      file: data.file,
      missing: missing.length,
      rows: asked.length,
      first: missing.slice(0, 5)
    })
  }
  yield* Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openJournal(journalFile, key)
      for (const { question } of asked) {
        const [there, entry] = [journal.answered.get(question), found.get(question)!]
        if (there === undefined) yield* journal.append(entry)
        else if (there.prediction !== entry.prediction) {
          return yield* new AnswersDiffer({ row: entry.index, files: [journalFile, entry.file] })
        }
      }
    })
  )
  const answer = ({ index }: AnswerRequest) => Effect.die(new Error(`row ${index} was merged and is asked`))
  const answers = yield* Effect.provideService(
    askQuestions(benchmark, questions, asked, options),
    Answerer,
    Answerer.of({ model, answer })
  )
  return yield* finishEvaluation(benchmark, questions, answers, options)
})
