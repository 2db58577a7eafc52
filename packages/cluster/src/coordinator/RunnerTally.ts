/** What each runner has done for a run, beside the run, for `speedq status`. */
import { join } from "node:path"
import { AtomicFile, ifPresent, readText } from "@speedq/formats"
import { runnersName } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const RunnerShare = Schema.Struct({
  name: Schema.String,
  backend: Schema.String,
  /** Whether it was there when this was written. */
  present: Schema.Boolean,
  /** Why it takes no part; undefined where it does. */
  refused: Schema.optionalKey(Schema.String),
  /** Shards that it computed since the run was begun or continued, and milliseconds that they took. */
  units: Schema.Int,
  milliseconds: Schema.Number
})
export type RunnerShare = typeof RunnerShare.Type

const RunnerTable = Schema.Struct({
  cluster: Schema.String,
  /** Milliseconds since 1970. */
  at: Schema.Int,
  /** Shards that the coordinator computed itself. */
  here: Schema.Int,
  runners: Schema.Array(RunnerShare)
})
export type RunnerTable = typeof RunnerTable.Type

const Text = Schema.fromJsonString(RunnerTable)
const encode = Schema.encodeSync(Text)
const decode = Schema.decodeUnknownOption(Text)

const fileOf = (run: string): string => join(run, runnersName, "runners.json")

export const writeRunners = (run: string, table: RunnerTable) =>
  AtomicFile.writeWhole(fileOf(run), new TextEncoder().encode(`${encode(table)}\n`))

/** The runners of the run in a directory; none where none were ever there. Fails with FileFailed. */
export const readRunners = (run: string) =>
  Effect.map(ifPresent(readText(fileOf(run))), (text) =>
    text === undefined ? Option.none<RunnerTable>() : decode(text)
  )
