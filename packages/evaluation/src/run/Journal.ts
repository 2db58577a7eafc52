/**
 * What a run has answered so far: a JSONL file that survives the process. Lines are only ever added, so that nothing is lost of what
 * another process wrote.
 *
 * A first line says whom the questions were asked, and how; every further line is one answer with the digest of its question,
 * appended when it is there. A run continues from the journal of another only when their first lines agree. Each line has a
 * checksum, which covers the first line too. One that was torn by a kill, or changed since, counts as not there.
 */
import { createHash } from "node:crypto"
import { open } from "node:fs/promises"
import { dirname } from "node:path"
import {
  AtomicFile,
  attemptOn,
  type FileFailed,
  ifPresent,
  makeDirectories,
  mostBytes,
  readText
} from "@speedq/formats"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { JournalDamaged, JournalMismatch } from "../Errors.ts"

/** What makes two runs the same. */
export interface JournalKey {
  readonly benchmark: string
  readonly model: string
  /** Everything that changes all answers: tiles, generation, how images are stored. */
  readonly settings: string
}

/** An answer to the question with this digest (`questionDigest`), and the row that it was asked for. */
export interface JournalEntry {
  readonly index: string
  readonly prediction: string
  readonly question: string
}

export interface Journal {
  /** Answers of earlier runs, by the digests of their questions. */
  readonly answered: ReadonlyMap<string, JournalEntry>
  /** Lines that were left out because they are damaged or torn. */
  readonly damaged: number
  /** Adds an answer. It outlives the process at once, and a loss of power after a second at most. */
  readonly append: (entry: JournalEntry) => Effect.Effect<void, FileFailed>
}

const journalName = "speedq-evaluation"
const version = 2
const Header = Schema.Struct({
  journal: Schema.Literal(journalName),
  version: Schema.Literal(version),
  benchmark: Schema.String,
  model: Schema.String,
  settings: Schema.String,
  sum: Schema.String
})
/** The first line of version 1, which had the digest of the whole data file and no checksums. */
const OldHeader = Schema.Struct({
  journal: Schema.Literal(journalName),
  version: Schema.Literal(1),
  data: Schema.String
})
const Entry = Schema.Struct({
  index: Schema.String,
  prediction: Schema.String,
  question: Schema.String,
  sum: Schema.String
})

const decodeLine = <S extends Schema.Decoder<unknown>>(schema: S) =>
  Schema.decodeUnknownResult(Schema.fromJsonString(schema))
const decodeHeader = decodeLine(Header)
const decodeOldHeader = decodeLine(OldHeader)
const decodeEntry = decodeLine(Entry)

/** A line with its checksum: 64 bits of the SHA-256 of what it belongs to and its own text. */
const sealed = (belongsTo: string, fields: object): string => {
  const sum = createHash("sha256")
    .update(`${belongsTo}\n${JSON.stringify(fields)}`)
    .digest("hex")
    .slice(0, 16)
  return JSON.stringify({ ...fields, sum })
}

const headerLine = ({ benchmark, model, settings }: JournalKey): string =>
  sealed("", { journal: journalName, version, benchmark, model, settings })

const entryLine = (header: string, { index, prediction, question }: JournalEntry): string =>
  sealed(header, { index, prediction, question })

const fields = ["benchmark", "model", "settings"] as const

/** Why a journal that this line begins is not continued; undefined where it is not a first line, or the right one. */
const mismatchOf = (file: string, line: string, key: JournalKey): JournalMismatch | undefined => {
  if (Result.isSuccess(decodeOldHeader(line))) {
    return new JournalMismatch({ file, field: "version", expected: String(version), actual: "1" })
  }
  const header = decodeHeader(line)
  if (Result.isFailure(header) || headerLine(header.success) !== line) return undefined
  const field = fields.find((name) => header.success[name] !== key[name])
  if (field === undefined) return undefined
  return new JournalMismatch({ file, field, expected: key[field], actual: header.success[field] })
}

const parse = Effect.fnUntraced(function* (file: string, text: string, key: JournalKey) {
  const own = headerLine(key)
  const answered = new Map<string, JournalEntry>()
  let begun = false
  let damaged = 0
  for (const line of text.split("\n")) {
    const mismatch = mismatchOf(file, line, key)
    if (mismatch !== undefined) return yield* mismatch
    const entry = decodeEntry(line)
    if (line === own) begun = true
    else if (Result.isSuccess(entry) && entryLine(own, entry.success) === line) {
      const { sum: _, ...answer } = entry.success
      answered.set(answer.question, answer)
    } else if (line !== "") damaged++
  }
  // Without a single whole line it may be anything but a journal. A first line that was torn has no end.
  if (!begun && answered.size === 0 && text.includes("\n")) return yield* new JournalDamaged({ file, lines: damaged })
  return { answered, damaged, begun }
})

/** Whom the questions of a journal were asked, and how. Fails with FileFailed, and with JournalDamaged where no line that says so is whole. */
export const readJournalKey = Effect.fn("evaluation.readJournalKey")(function* (
  file: string
): Effect.fn.Return<JournalKey, FileFailed | JournalMismatch | JournalDamaged> {
  const lines = (yield* readText(file, mostBytes.text)).split("\n")
  if (Result.isSuccess(decodeOldHeader(lines[0]!))) {
    return yield* new JournalMismatch({ file, field: "version", expected: String(version), actual: "1" })
  }
  // Where the first line was torn, the process that went on wrote another.
  for (const line of lines) {
    const header = decodeHeader(line)
    if (Result.isSuccess(header) && headerLine(header.success) === line) return header.success
  }
  return yield* new JournalDamaged({ file, lines: lines.filter((line) => line !== "").length })
})

/** Answers of a journal that is not continued. Fails with FileFailed, JournalMismatch and JournalDamaged. */
export const readJournal = Effect.fn("evaluation.readJournal")(function* (file: string, key: JournalKey) {
  return yield* parse(file, yield* readText(file, mostBytes.text), key)
})

const syncEveryNanos = 1_000_000_000n

/**
 * Opens a journal for a run, creating it (and its directory) where there is none, until the scope ends.
 *
 * Fails with JournalMismatch, JournalDamaged and FileFailed.
 */
export const openJournal = Effect.fn("evaluation.openJournal")(function* (
  file: string,
  key: JournalKey
): Effect.fn.Return<Journal, FileFailed | JournalMismatch | JournalDamaged, Scope.Scope> {
  const attempt = attemptOn(file)
  yield* attempt("create the directory of", () => makeDirectories(dirname(file)))
  const text = (yield* ifPresent(readText(file, mostBytes.text))) ?? ""
  const { answered, damaged, begun } = yield* parse(file, text, key)
  const handle = yield* Effect.acquireRelease(
    attempt("open", () => open(file, "a")),
    (opened) => Effect.ignore(attempt("close", () => opened.close()))
  )
  const sync = attempt("flush", () => handle.sync())
  yield* Effect.addFinalizer(() => Effect.ignore(sync))
  const write = (lines: string) => attempt("append to", () => handle.appendFile(lines))
  // What a kill tore stays, as a line of its own.
  if (text !== "" && !text.endsWith("\n")) yield* write("\n")
  const own = headerLine(key)
  if (!begun) {
    yield* write(`${own}\n`)
    yield* sync
    yield* AtomicFile.flushDirectory(dirname(file))
  }
  const turn = yield* Semaphore.make(1)
  let synced = yield* Clock.monotonicTimeNanos
  let isFlushed = true
  /** Why an earlier flush failed: the system tells it once, and what was not flushed then may be gone. */
  let failure: FileFailed | undefined
  const flush = Effect.gen(function* () {
    synced = yield* Clock.monotonicTimeNanos
    yield* Effect.tapError(sync, (error) => Effect.sync(() => void (failure = error)))
    isFlushed = true
  })
  const append = Effect.fnUntraced(
    function* (entry: JournalEntry) {
      if (failure !== undefined) return yield* failure
      yield* write(`${entryLine(own, entry)}\n`)
      isFlushed = false
      if ((yield* Clock.monotonicTimeNanos) - synced >= syncEveryNanos) yield* flush
    },
    Effect.uninterruptible,
    turn.withPermits(1)
  )
  // The next answer may be long in coming.
  const flushLater = turn.withPermit(Effect.suspend(() => (isFlushed ? Effect.void : Effect.ignore(flush))))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(Duration.nanos(syncEveryNanos)), flushLater)))
  return { answered, damaged, append }
})
