/** `speedq run DIR`: the recipe of a run that is there already. */
import { statSync } from "node:fs"
import { type RunRecord, readRunRecord } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { NoRun } from "../Errors.ts"

/** Whether a person means a directory, and not a recipe. */
export const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/** The record of the run in a directory, with its recipe. Fails with NoRun. */
export const recordOfRun = Effect.fn("recordOfRun")(function* (directory: string) {
  const record: Option.Option<RunRecord> = yield* readRunRecord(directory)
  if (Option.isNone(record)) return yield* NoRun.in(directory)
  return record.value
})
