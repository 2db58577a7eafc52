/** The rows of a benchmark in the groups that they are asked in, with the digests of their questions. */
import { createHash } from "node:crypto"
import { answerOf, questionDigest, type RowImageOptions } from "@speedq/evaluation"
import * as Effect from "effect/Effect"
import { type Asked, type BenchmarkChoice, openBenchmark } from "./askedRows.ts"
import type { Question } from "./askRows.ts"
import { isSpread } from "./gallery.ts"

/** Rows that are asked together: a step. */
export interface Group {
  /** Place of the benchmark. */
  readonly at: number
  readonly questions: readonly (Question & { readonly digest: string })[]
  /** Those whose divergence is measured, and what tells them and their expected answers from others. */
  readonly measured: readonly Question[]
  readonly measuredDigest: string
}

export interface GroupedRows extends Asked {
  readonly groups: readonly Group[]
}

interface Grouping {
  readonly batch: number
  /** Rows of the benchmark whose divergence is measured. */
  readonly divergence: number
  readonly pictures: RowImageOptions
}

/** Opens a benchmark and tells its questions apart: pictures in files are read. */
export const groupedRows = Effect.fnUntraced(function* (
  choice: BenchmarkChoice,
  at: number,
  { batch, divergence, pictures }: Grouping
) {
  const opened = yield* openBenchmark(choice)
  const { benchmark, data, rows } = opened
  const questions = yield* Effect.forEach(rows, (row) =>
    Effect.map(questionDigest(benchmark, data, row, pictures), (digest) => ({ benchmark, data, row, pictures, digest }))
  )
  const groups = Array.from({ length: Math.ceil(rows.length / batch) }, (_, number): Group => {
    const first = number * batch
    const together = questions.slice(first, first + batch)
    const measured = together.filter((_, place) => isSpread(first + place, rows.length, divergence))
    const expected = measured.map(({ digest, row }) => [digest, answerOf(benchmark, row) ?? null])
    const measuredDigest = createHash("sha256").update(JSON.stringify(expected)).digest("hex")
    return { at, questions: together, measured, measuredDigest }
  })
  const asked: GroupedRows = { ...opened, groups }
  return asked
})
