/** What can be known of an evaluation's benchmarks before any work. */
import { existsSync } from "node:fs"
import {
  benchmarkNamed,
  findBenchmark,
  namedRows,
  type RowImageOptions,
  requireScorable,
  unreadableRows
} from "@speedq/evaluation"
import { Forecast } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { fileDigest } from "../data/fileDigest.ts"
import { Extensions } from "../extensions/Extensions.ts"
import { type BenchmarkChoice, openBenchmark } from "./askedRows.ts"
import { namedPictures } from "./pictureFiles.ts"

/** An obstacle for each benchmark that no one brings. */
const unknownBenchmarks = Effect.fnUntraced(function* (benchmarks: readonly BenchmarkChoice[]) {
  const known = (yield* Extensions).benchmarks
  const found = yield* Effect.forEach(benchmarks, ({ name }) =>
    Effect.match(benchmarkNamed(name, known), {
      onSuccess: () => undefined,
      onFailure: Forecast.obstacleOf
    })
  )
  return found.filter((obstacle) => obstacle !== undefined)
})

/** Data files that were read and found good: those of several evaluations are read once. */
const good = new Map<string, string>()

/** How long the pictures of a benchmark are looked at. */
const lookingSeconds = 5

/** Why the rows of a benchmark cannot be asked: a column that is missing, a row that is broken or cannot be scored, a picture that is not there or is none. */
const problemOf = Effect.fnUntraced(function* (choice: BenchmarkChoice, pictures: RowImageOptions) {
  // What cannot be read is told where it is opened.
  const digest = yield* Effect.promise(() => fileDigest(choice.data).catch(String))
  const identity = JSON.stringify([choice, pictures, digest])
  if (good.get(choice.data) === identity) return undefined
  const { benchmark, rows, data } = yield* openBenchmark(choice)
  yield* requireScorable(benchmark, rows, data.file)
  const files = namedPictures(data, rows)
  const absent = files.filter((path) => !existsSync(path))
  if (absent.length > 0) {
    return `${data.file}: ${absent.length} of ${files.length} pictures do not exist, the first of them ${absent[0]}`
  }
  const [first, ...others] = (yield* unreadableRows(data, rows, { ...pictures, seconds: lookingSeconds })).invalid
  if (first !== undefined) return namedRows([first, ...others])
  good.set(choice.data, identity)
  return undefined
})

/** An obstacle for each data file that is there and cannot be asked from. */
const unreadableFiles = Effect.fnUntraced(function* (
  benchmarks: readonly BenchmarkChoice[],
  pictures: RowImageOptions
) {
  const known = (yield* Extensions).benchmarks
  const problems = yield* Effect.forEach(benchmarks, (choice) =>
    existsSync(choice.data) && findBenchmark(choice.name, known) !== undefined
      ? Effect.match(problemOf(choice, pictures), {
          onSuccess: (problem) => problem,
          onFailure: ({ message }) => message
        })
      : Effect.succeed(undefined)
  )
  return problems.flatMap((issue): readonly Forecast.Obstacle[] =>
    issue === undefined ? [] : [{ issue, fix: "correct the file, or get it anew" }]
  )
})

/** Everything that stands in the way of asking these benchmarks. */
export const benchmarkObstacles = Effect.fnUntraced(function* (
  benchmarks: readonly BenchmarkChoice[],
  pictures: RowImageOptions
) {
  const missing = yield* Forecast.missingFiles(
    benchmarks.map(({ data }) => data),
    "get the benchmark's TSV file; `speedq evaluate` says where it comes from"
  )
  return [...missing, ...(yield* unknownBenchmarks(benchmarks)), ...(yield* unreadableFiles(benchmarks, pictures))]
})
