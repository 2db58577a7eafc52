/** The benchmarks, one line each. */
import * as Effect from "effect/Effect"
import { UnknownBenchmark } from "../Errors.ts"
import { ai2dTest } from "./Ai2dTest.ts"
import type { Benchmark } from "./Benchmark.ts"
import { hallusionBench } from "./HallusionBench.ts"
import { mmbenchDevCnV11 } from "./MmbenchDevCnV11.ts"
import { mmbenchDevEnV11 } from "./MmbenchDevEnV11.ts"
import { mmmuDevVal } from "./MmmuDevVal.ts"
import { mmStar } from "./MmStar.ts"
import { nano } from "./Nano.ts"
import { ocrBench } from "./OcrBench.ts"
import { scienceQaVal } from "./ScienceQaVal.ts"
import { seedBenchImg } from "./SeedBenchImg.ts"

/** Every benchmark, in the order of the paper's table, nano last. */
export const benchmarks: readonly Benchmark[] = [
  hallusionBench,
  ai2dTest,
  ocrBench,
  mmbenchDevEnV11,
  mmbenchDevCnV11,
  mmStar,
  mmmuDevVal,
  scienceQaVal,
  seedBenchImg,
  nano
]

/** The benchmark of that name, upper and lower case alike; undefined where none has it. */
export const findBenchmark = (name: string, known: readonly Benchmark[]): Benchmark | undefined =>
  known.find((benchmark) => benchmark.name.toLowerCase() === name.toLowerCase())

/** The benchmark of that name, upper and lower case alike; `known` adds a user's own. */
export const benchmarkNamed = (
  name: string,
  known: readonly Benchmark[] = benchmarks
): Effect.Effect<Benchmark, UnknownBenchmark> => {
  const found = findBenchmark(name, known)
  return found === undefined
    ? Effect.fail(new UnknownBenchmark({ benchmark: name, known: known.map((benchmark) => benchmark.name) }))
    : Effect.succeed(found)
}
