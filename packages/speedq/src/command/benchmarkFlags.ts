/** Flags of the commands that judge models. */
import { benchmarks } from "@speedq/evaluation/benchmarks"
import * as Flag from "effect/cli/Flag"
import { shippedPath } from "../shipped/shipped.ts"

export const data = Flag.String("data").pipe(
  Flag.withMetavar("FILE.tsv"),
  Flag.withDescription("the benchmark's questions, as VLMEvalKit publishes them"),
  Flag.map(shippedPath)
)

const names = benchmarks.map(({ name }) => name)

export const benchmark = Flag.String("benchmark").pipe(
  Flag.withMetavar("NAME"),
  Flag.withDescription(`one of ${names.join(", ")}`),
  Flag.filter(
    (name) => names.some((known) => known.toLowerCase() === name.toLowerCase()),
    () => `one of ${names.join(", ")}`
  )
)

export const matcher = Flag.Literals("matcher", ["2025-08", "head"]).pipe(
  Flag.withDescription("how answers are read"),
  Flag.withDefault("2025-08")
)
