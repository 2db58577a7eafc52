/** A benchmark with the rows of its file that an evaluation asks. */
import { basename } from "node:path"
import { type Benchmark, benchmarkNamed, type DataFile, type DataRow, readDataFile } from "@speedq/evaluation"
import * as Effect from "effect/Effect"
import { Extensions } from "../extensions/Extensions.ts"

/** A benchmark of the stage's configuration. */
export interface BenchmarkChoice {
  readonly name: string
  /** TSV file of its questions. */
  readonly data: string
  /** Asks only so many rows, the first of the file. */
  readonly limit?: number | undefined
}

export interface Asked {
  readonly benchmark: Benchmark
  readonly data: DataFile
  readonly rows: readonly DataRow[]
  /** File name, which tables and artefacts know it by. */
  readonly name: string
}

/** Fails where there is no such benchmark, or its file cannot be read. */
export const openBenchmark = Effect.fnUntraced(function* ({ name, data: file, limit }: BenchmarkChoice) {
  const benchmark = yield* benchmarkNamed(name, (yield* Extensions).benchmarks)
  const data = yield* readDataFile(file, benchmark)
  const rows = data.rows.slice(0, limit ?? data.rows.length)
  return { benchmark, data, rows, name: basename(file) } satisfies Asked
})
