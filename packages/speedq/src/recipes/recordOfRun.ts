/** `speedq run DIR` and `speedq run DIR/run.json`: the recipe of a run that is there already. */
import { statSync } from "node:fs"
import { basename, dirname } from "node:path"
import { type RunRecord, readRunRecord, runFileName } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { NoRun } from "../Errors.ts"

/** The directory of a run, where its run.json is named. */
export const directoryOfRecord = Effect.fn("directoryOfRecord")(function* (named: string) {
  if (basename(named) !== runFileName) return named
  const directory = dirname(named)
  const record = yield* Effect.orElseSucceed(readRunRecord(directory), () => Option.none())
  return Option.isSome(record) ? directory : named
})

/** Whether a person means a directory, and not a recipe. */
export const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/** The record of the run in a directory, with its recipe. Fails with NoRun. */
export const recordOfRun = Effect.fn("recordOfRun")(function* (directory: string) {
  const record: Option.Option<RunRecord> = yield* readRunRecord(directory)
  if (Option.isNone(record)) return yield* NoRun.in(directory)
  return record.value
})
