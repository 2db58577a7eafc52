/** Reads events.jsonl back: what a report and `status` are made of. Lines that cannot be read are counted, not fatal. */
import { checkOutside, jsonString, mostBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { whileDoing } from "../files/storage.ts"
import { Timestamp } from "../json/Timestamp.ts"
import type { EventKind } from "./EventKind.ts"

const Line = jsonString(
  Schema.Struct({
    at: Timestamp,
    event: Schema.String,
    stage: Schema.optionalKey(Schema.String),
    warning: Schema.optionalKey(Schema.String),
    data: Schema.Json
  })
)
const decodeLine = Schema.decodeUnknownOption(Line)

/** One line of the log; `at` is in milliseconds since 1970. */
export interface LoggedEvent {
  readonly at: number
  readonly stage: string | undefined
  readonly tag: string
  /** The words of a warning; undefined for other events. */
  readonly warning: string | undefined
  readonly data: Schema.Json
}

/** The events of a log's last `tailBytes`, in order, and how many of its lines could not be read. A log that does not exist has none. */
export const readEvents = (file: string, tailBytes: number = mostBytes.text) =>
  readLog(file, (size) => ({ start: Math.max(0, size - tailBytes), isCut: size > tailBytes }))

/** A log up to this size is kept in memory by whoever reads it again and again: some three times as much. */
const mostKept = 2 ** 25

/**
 * Reads all events of a log, again and again while it grows: each time only what was added since, as long as the log is not too large
 * to be kept in memory.
 */
export const eventReader = (file: string) => {
  let known = { events: [] as ReadonlyArray<LoggedEvent>, unreadable: 0, end: 0 }
  return Effect.gen(function* () {
    const { end } = known
    const added = yield* readLog(file, (size) => ({ start: size < end ? 0 : end, isCut: false }))
    const before = added.start === end ? known : { events: [], unreadable: 0 }
    const all = {
      events: [...before.events, ...added.events],
      unreadable: before.unreadable + added.unreadable,
      end: added.end
    }
    known = all.end > mostKept ? { events: [], unreadable: 0, end: 0 } : all
    return { events: all.events, unreadable: all.unreadable }
  })
}

interface Part {
  readonly start: number
  /** Whether it may begin within a line, which is left out. */
  readonly isCut: boolean
}

const readLog = (file: string, partOf: (size: number) => Part) =>
  whileDoing("read the event log", file)(Effect.scoped(readPart(file, partOf)))

const newline = 10

/** Events of whole lines; `end` is behind the last of them. */
const readPart = Effect.fnUntraced(function* (file: string, partOf: (size: number) => Part) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(file))) return { events: [], unreadable: 0, start: 0, end: 0 }
  yield* checkOutside(file, "read")
  const log = yield* fs.open(file)
  const size = Number((yield* log.stat).size)
  const { start, isCut } = partOf(size)
  const bytes = new Uint8Array(size - start)
  for (let filled = 0, read = 1; filled < bytes.length && read > 0; filled += read) {
    read = yield* log.read(bytes.subarray(filled), { position: BigInt(start + filled) })
  }
  // The last line is cut while a run writes it.
  const whole = bytes.subarray(0, bytes.lastIndexOf(newline) + 1)
  const lines = new TextDecoder()
    .decode(whole)
    .split("\n")
    .slice(isCut ? 1 : 0, -1)
  const events = lines.map(parseLine).filter((event) => event !== undefined)
  return { events, unreadable: lines.length - events.length, start, end: start + whole.length }
})

const parseLine = (line: string): LoggedEvent | undefined => {
  const decoded = Option.getOrUndefined(decodeLine(line))
  if (decoded === undefined) return undefined
  const { at, stage, event, warning, data } = decoded
  return { at: Date.parse(at), stage, tag: event, warning, data }
}

/** The events of one kind. */
export const eventsOf = <P>(
  kind: EventKind<string, P>,
  events: ReadonlyArray<LoggedEvent>
): ReadonlyArray<LoggedEvent & { readonly event: P }> =>
  events.flatMap((logged) =>
    logged.tag === kind.tag
      ? Option.toArray(Option.map(kind.decode(logged.data), (event) => ({ ...logged, event })))
      : []
  )

/** The last event of a kind that can be read, without decoding the others. */
export const lastOf = <P>(kind: EventKind<string, P>, events: ReadonlyArray<LoggedEvent>): P | undefined => {
  const last = events.findLast(({ tag }) => tag === kind.tag)
  return last === undefined ? undefined : Option.getOrUndefined(kind.decode(last.data))
}
