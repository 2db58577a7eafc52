/** Flags of evaluating, and of putting evaluations together. */
import type { Shard } from "@speedq/evaluation"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { defaulted } from "./flagDefaults.ts"
import { count } from "./flags.ts"

export const limit = count("limit").pipe(
  Flag.withDescription("ask only the first N rows; predictions and score are then named NAME_BENCHMARK_firstN"),
  Flag.optional
)

/** Of the model in file names. */
export const answerName = Flag.String("name").pipe(Flag.withMetavar("NAME"))

export const predictionFormat = Flag.Literals("format", ["xlsx", "tsv", "json"]).pipe(
  defaulted("format of the predictions file", "xlsx")
)

const readShard = (text: string): Option.Option<Shard> => {
  const [, index, count] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []
  const shard = { index: Number(index), count: Number(count) }
  return shard.index >= 1 && shard.index <= shard.count ? Option.some(shard) : Option.none()
}

export const shard = Flag.String("shard").pipe(
  Flag.withMetavar("I/N"),
  Flag.withDescription(
    "ask every Nth row alone, from the Ith on; answers go to shard-I-of-N below --out, and speedq merge puts them together"
  ),
  Flag.filterMap(readShard, (text) => `"${text}" is no shard; write one as 2/3, from 1/3 to 3/3`),
  Flag.optional
)
