/** What other processes have computed for a run: written beside it by whoever hands out its work, read for its status. */
import { AtomicFile, ifPresent, readText } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { runnersName } from "../directory/RunDirectory.ts"

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

const fileOf = Effect.fnUntraced(function* (run: string) {
  return (yield* Path.Path).join(run, runnersName, "runners.json")
})

/** In a folder that is there. Fails with FileFailed. */
export const writeRunners = Effect.fnUntraced(function* (run: string, table: RunnerTable) {
  return yield* AtomicFile.writeWhole(yield* fileOf(run), new TextEncoder().encode(`${encode(table)}\n`))
})

/** The runners of the run in a directory; undefined where there never was one. Fails with FileFailed. */
export const readRunners = Effect.fnUntraced(function* (run: string) {
  const text = yield* ifPresent(readText(yield* fileOf(run)))
  return text === undefined ? undefined : Option.getOrUndefined(decode(text))
})
