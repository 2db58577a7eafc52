import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { type JournalKey, openJournal } from "../src/run/Journal.ts"
import { temporaryDirectory } from "./dataFiles.ts"

const key: JournalKey = { benchmark: "MMStar", data: "d1", model: "m1", settings: "{}" }

/** Opens the journal, appends, and gives what it had before. */
const session = (file: string, answers: readonly (readonly [string, string])[] = [], as: JournalKey = key) =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openJournal(file, as)
      for (const [index, prediction] of answers) yield* journal.append(index, prediction)
      return Array.from(journal.answered)
    })
  )

const answers = [
  ["1", "A"],
  ["2", 'line\nbreak, "quote", é中😀'],
  ["3", ""],
  ["4", "\ud800"]
] as const

describe("journal", () => {
  it.effect("gives back every answer, in a directory that it makes itself", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "a", "b", "journal.jsonl")
      assert.deepStrictEqual(yield* session(file, answers), [])
      assert.deepStrictEqual(
        yield* session(file),
        answers.map((entry) => [...entry])
      )
    })
  )

  it.effect("cut at any byte, it keeps every whole line and can be continued", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "journal.jsonl")
      yield* session(file, answers)
      const whole = readFileSync(file)
      for (let size = 0; size <= whole.length; size++) {
        writeFileSync(file, whole.subarray(0, size))
        const lines = whole.subarray(0, size).toString("latin1").split("\n").length - 1
        const kept = yield* session(file, [["5", "E"]])
        assert.deepStrictEqual(
          kept,
          answers.slice(0, Math.max(0, lines - 1)).map((entry) => [...entry]),
          `cut at ${size}`
        )
        assert.deepStrictEqual(yield* session(file), [...kept, ["5", "E"]], `continued after a cut at ${size}`)
      }
    })
  )

  for (const [field, other, named] of [
    ["benchmark", "nano", "benchmark"],
    ["data", "d2", "a data file with sha256"],
    ["model", "m2", "model"],
    ["settings", "{...}", "settings"]
  ] as const) {
    it.effect(`another ${field} is a typed error, and the file stays as it is`, () =>
      Effect.gen(function* () {
        const file = join(yield* temporaryDirectory, "journal.jsonl")
        yield* session(file, answers)
        const before = readFileSync(file)
        const error = yield* Effect.flip(session(file, [], { ...key, [field]: other }))
        assert.strictEqual(error._tag, "JournalMismatch")
        assert.include(
          error.message,
          `written for ${named} ${key[field]}, but this run has ${other}; use another output directory`
        )
        assert.deepStrictEqual(readFileSync(file), before)
      })
    )
  }

  it.effect("damage before the last line is a typed error with the line", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "journal.jsonl")
      yield* session(file, answers)
      const lines = readFileSync(file, "utf8").split("\n")
      writeFileSync(file, lines.with(2, "\0\0\0").join("\n"))
      const error = yield* Effect.flip(session(file))
      assert.strictEqual(error._tag, "JournalDamaged")
      assert.match(error.message, /journal\.jsonl, line 3: not an answer; remove that line to answer its row again/)
      writeFileSync(file, "{}\n")
      assert.match((yield* Effect.flip(session(file))).message, /line 1: not the first line of a journal/)
    })
  )

  it.effect("what the system refuses is a typed error", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      assert.match((yield* Effect.flip(session(directory))).message, /cannot read: EISDIR/)
      writeFileSync(join(directory, "file"), "")
      const error = yield* Effect.flip(session(join(directory, "file", "journal.jsonl")))
      assert.strictEqual(error._tag, "FileFailed")
      assert.match(error.message, /cannot create the directory of: /)
    })
  )
})
