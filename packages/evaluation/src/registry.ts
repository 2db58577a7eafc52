/** The benchmarks, one line each. */
import * as Effect from "effect/Effect"
import type { Benchmark } from "./Benchmark.ts"
import { ai2dTest } from "./benchmarks/Ai2dTest.ts"
import { hallusionBench } from "./benchmarks/HallusionBench.ts"
import { mmbenchDevCnV11 } from "./benchmarks/MmbenchDevCnV11.ts"
import { mmbenchDevEnV11 } from "./benchmarks/MmbenchDevEnV11.ts"
import { mmmuDevVal } from "./benchmarks/MmmuDevVal.ts"
import { mmStar } from "./benchmarks/MmStar.ts"
import { nano } from "./benchmarks/Nano.ts"
import { ocrBench } from "./benchmarks/OcrBench.ts"
import { scienceQaVal } from "./benchmarks/ScienceQaVal.ts"
import { seedBenchImg } from "./benchmarks/SeedBenchImg.ts"
import { UnknownBenchmark } from "./Errors.ts"

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

/** The benchmark of that name, upper and lower case alike. */
export const benchmarkNamed = (name: string): Effect.Effect<Benchmark, UnknownBenchmark> => {
  const found = benchmarks.find((benchmark) => benchmark.name.toLowerCase() === name.toLowerCase())
  return found === undefined
    ? Effect.fail(new UnknownBenchmark({ benchmark: name, known: benchmarks.map((benchmark) => benchmark.name) }))
    : Effect.succeed(found)
}
