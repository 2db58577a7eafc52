/** The files of a score: the whole of it as JSON, and what VLMEvalKit writes. */
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { Benchmark } from "../benchmarks/Benchmark.ts"
import type { Marks } from "./Marks.ts"
import type { Score } from "./Score.ts"

export interface ScoreFiles {
  /** What VLMEvalKit writes: `..._acc.csv`, `..._score.csv` or `..._score.json`. */
  readonly scoreFile: string
  /** The whole {@link Score}, its rows included, as JSON. */
  readonly resultFile: string
}

/** Writes both files, their names after `stem`: that of the predictions without its ending. Fails with FileFailed. */
export const writeScore = Effect.fnUntraced(function* (
  benchmark: Benchmark,
  stem: string,
  { score, marks }: { readonly score: Score; readonly marks: Marks }
) {
  const resultFile = `${stem}_result.json`
  yield* AtomicFile.writeWhole(resultFile, Buffer.from(`${JSON.stringify(score, null, 2)}\n`))
  const { ending, text } = benchmark.scoreFile(marks)
  const scoreFile = `${stem}_${ending}`
  yield* AtomicFile.writeWhole(scoreFile, Buffer.from(text))
  const written: ScoreFiles = { scoreFile, resultFile }
  return written
})
