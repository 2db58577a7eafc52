/**
 * What a run has answered so far: a JSONL file that survives the process.
 *
 * Line 1 says what was asked of whom; every further line is one answer, appended when it is there. A run continues from the
 * journal of another only when their first lines agree. A last line without its line end was torn by a kill and is dropped.
 */
import { mkdir, readFile } from "node:fs/promises"
import { dirname } from "node:path"
import type { FileFailed } from "@speedq/formats"
import { AtomicFile } from "@speedq/formats"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { JournalDamaged, JournalMismatch } from "../Errors.ts"
import { attempt, openScoped } from "../internal/files.ts"

/** What makes two runs the same. */
export interface JournalKey {
  readonly benchmark: string
  /** sha256 of the data file. */
  readonly data: string
  readonly model: string
  /** Everything else that changes answers: tiles, generation, how images are stored. */
  readonly settings: string
}

export interface Journal {
  /** Answers of earlier runs, index to text. */
  readonly answered: ReadonlyMap<string, string>
  /** Adds an answer. It outlives the process at once, and a loss of power after a second at most. */
  readonly append: (index: string, prediction: string) => Effect.Effect<void, FileFailed>
}

const Header = Schema.Struct({
  journal: Schema.Literal("speedq-evaluation"),
  version: Schema.Literal(1),
  benchmark: Schema.String,
  data: Schema.String,
  model: Schema.String,
  settings: Schema.String
})
const Entry = Schema.Struct({ index: Schema.String, prediction: Schema.String })

const decodeLine = <S extends Schema.Decoder<unknown>>(schema: S) =>
  Schema.decodeUnknownResult(Schema.fromJsonString(schema))
const decodeHeader = decodeLine(Header)
const decodeEntry = decodeLine(Entry)

const fields = ["benchmark", "data", "model", "settings"] as const
const meaning = { benchmark: "benchmark", data: "a data file with sha256", model: "model", settings: "settings" }

const parse = Effect.fnUntraced(function* (file: string, lines: readonly string[], key: JournalKey) {
  const answered = new Map<string, string>()
  const [first, ...entries] = lines
  if (first === undefined) return answered
  const header = decodeHeader(first)
  if (Result.isFailure(header)) {
    return yield* new JournalDamaged({ file, line: 1, reason: "not the first line of a journal of this version" })
  }
  const field = fields.find((name) => header.success[name] !== key[name])
  if (field !== undefined) {
    const [expected, actual] = [key[field], header.success[field]]
    return yield* new JournalMismatch({ file, field: meaning[field], expected, actual })
  }
  for (const [i, line] of entries.entries()) {
    const entry = decodeEntry(line)
    if (Result.isFailure(entry)) return yield* new JournalDamaged({ file, line: i + 2, reason: "not an answer" })
    answered.set(entry.success.index, entry.success.prediction)
  }
  return answered
})

const syncEveryMillis = 1000

/**
 * Opens a journal for a run, creating it (and its directory) where there is none, until the scope ends.
 *
 * Fails with JournalMismatch, JournalDamaged and FileFailed.
 */
export const openJournal = Effect.fn("evaluation.openJournal")(function* (
  file: string,
  key: JournalKey
): Effect.fn.Return<Journal, FileFailed | JournalMismatch | JournalDamaged, Scope.Scope> {
  yield* attempt(file, "create the directory of", () => mkdir(dirname(file), { recursive: true }))
  const content = yield* attempt(file, "read", () => readFile(file)).pipe(
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed(Buffer.alloc(0))
    )
  )
  const whole = content.lastIndexOf(10) + 1
  const answered = yield* parse(file, content.subarray(0, whole).toString().split("\n").slice(0, -1), key)
  const handle = yield* openScoped(file, "a")
  const sync = attempt(file, "flush", () => handle.sync())
  yield* attempt(file, "cut the torn last line of", () => handle.truncate(whole))
  yield* Effect.addFinalizer(() => Effect.ignore(sync))
  const write = (line: unknown) => attempt(file, "append to", () => handle.appendFile(`${JSON.stringify(line)}\n`))
  if (whole === 0) {
    yield* write({ journal: "speedq-evaluation", version: 1, ...key })
    yield* sync
    yield* AtomicFile.flushDirectory(dirname(file))
  }
  const turn = yield* Semaphore.make(1)
  let synced = yield* Clock.currentTimeMillis
  const append = Effect.fnUntraced(
    function* (index: string, prediction: string) {
      yield* write({ index, prediction })
      const now = yield* Clock.currentTimeMillis
      if (now - synced < syncEveryMillis) return
      synced = now
      yield* sync
    },
    Effect.uninterruptible,
    turn.withPermits(1)
  )
  return { answered, append }
})
