/** Flags of the commands that judge models. */
import { benchmarks, findBenchmark } from "@speedq/evaluation/benchmarks"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { WrongUsage } from "../Errors.ts"
import { shippedPath } from "../shipped/shipped.ts"
import { defaulted } from "./flagDefaults.ts"
import { pathFlag } from "./pathParam.ts"

export const data = pathFlag("data", "FILE.tsv", "file").pipe(
  Flag.withDescription("the benchmark's questions, as VLMEvalKit publishes them"),
  Flag.map(shippedPath)
)

const shipped = benchmarks.map(({ name }) => name).join(", ")

export const benchmark = Flag.String("benchmark").pipe(
  Flag.withMetavar("NAME"),
  Flag.withDescription(`one of ${shipped}, or a plugin's benchmark`)
)

/** Fails with WrongUsage where no benchmark has the name: which there are is known when plugins are loaded. */
export const checkBenchmark = Effect.fnUntraced(function* (name: string, help: string) {
  const { Extensions } = yield* Effect.promise(() => import("@speedq/stages"))
  const known = (yield* Extensions).benchmarks
  if (findBenchmark(name, known) !== undefined) return
  const names = known.map((each) => each.name)
  const problem = `--benchmark ${name}: one of ${names.join(", ")}, or a plugin's benchmark (--plugin FILE)`
  return yield* new WrongUsage({ problems: [problem], help })
})

export const imageStore = Flag.Literals("image-store", ["lossless", "jpeg75"]).pipe(
  defaulted(
    "pictures of the file as they are, or through JPEG of quality 75, as VLMEvalKit stored single ones until February 2026",
    "lossless"
  )
)

export const matcher = Flag.Literals("matcher", ["2025-08", "head"]).pipe(
  defaulted("VLMEvalKit's rules for matching answers: 2025-08 at the time of the paper, head the newest", "2025-08")
)
