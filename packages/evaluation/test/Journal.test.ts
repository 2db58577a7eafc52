import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { type JournalEntry, type JournalKey, openJournal } from "../src/run/Journal.ts"
import { temporaryDirectory } from "./dataFiles.ts"

const key: JournalKey = { benchmark: "MMStar", model: "m1", settings: "{}" }

/** Opens the journal, appends, and gives what it had before. */
const opened = (file: string, answers: readonly JournalEntry[] = [], as: JournalKey = key) =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openJournal(file, as)
      for (const answer of answers) yield* journal.append(answer)
      return { kept: [...journal.answered.values()], damaged: journal.damaged }
    })
  )
const session = (...args: Parameters<typeof opened>) => Effect.map(opened(...args), ({ kept }) => kept)

const answers: readonly JournalEntry[] = ["A", 'line\nbreak, "quote", é中😀', "", "\ud800"].map((prediction, at) => ({
  index: String(at + 1),
  prediction,
  question: `q${at + 1}`
}))
const fifth: JournalEntry = { index: "5", prediction: "E", question: "q5" }

describe("journal", () => {
  it.effect("gives back every answer by its question, in a directory that it makes itself", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "a", "b", "journal.jsonl")
      assert.deepStrictEqual(yield* session(file, answers), [])
      assert.deepStrictEqual(yield* opened(file), { kept: [...answers], damaged: 0 })
      const other = { ...answers[0]!, prediction: "B", question: "q1, repaired" }
      yield* session(file, [other])
      assert.deepStrictEqual(yield* session(file), [...answers, other])
    })
  )

  it.effect("cut at any byte, it keeps every whole line, says what is torn, and can be continued", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "journal.jsonl")
      yield* session(file, answers)
      const whole = readFileSync(file)
      for (let size = 0; size <= whole.length; size++) {
        writeFileSync(file, whole.subarray(0, size))
        // A line that lacks nothing but its end is whole.
        const lines = `${whole.subarray(0, size).toString("latin1")}`.split("\n")
        const torn = lines.at(-1) !== "" && lines.at(-1) !== whole.toString("latin1").split("\n")[lines.length - 1]
        const count = Math.max(0, lines.length - 1 - (torn || lines.at(-1) === "" ? 1 : 0))
        const { kept, damaged } = yield* opened(file, [fifth])
        assert.deepStrictEqual(kept, answers.slice(0, count), `cut at ${size}`)
        assert.strictEqual(damaged, torn ? 1 : 0, `cut at ${size}`)
        assert.deepStrictEqual(yield* session(file), [...kept, fifth], `continued after a cut at ${size}`)
      }
    })
  )

  it.effect("with any byte changed, it gives no wrong answer and loses one at most", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "journal.jsonl")
      yield* session(file, answers)
      const whole = readFileSync(file)
      for (let at = 0; at < whole.length; at++) {
        const bytes = Buffer.from(whole)
        bytes[at]! ^= 1 + (at % 255)
        writeFileSync(file, bytes)
        const { kept, damaged } = yield* opened(file, [fifth])
        assert.isAtLeast(damaged, 1, `byte ${at}`)
        // A line end that is gone joins two lines.
        assert.isAtLeast(kept.length, answers.length - (whole[at] === 10 ? 2 : 1), `byte ${at}`)
        assert.isEmpty(
          kept.filter((entry) => !answers.some((answer) => JSON.stringify(answer) === JSON.stringify(entry))),
          `byte ${at}`
        )
        // What is damaged stays, and what is added counts.
        assert.deepStrictEqual(readFileSync(file).subarray(0, bytes.length), bytes)
        assert.deepStrictEqual(yield* session(file), [...kept, fifth])
      }
    })
  )

  it.effect("opened twice at the same time, it has the answers of both", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "journal.jsonl")
      yield* session(file, answers.slice(0, 1))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const first = yield* openJournal(file, key)
          yield* first.append(answers[1]!)
          // What another process has not finished writing is not cut off either.
          appendFileSync(file, '{"index":')
          const second = yield* openJournal(file, key)
          yield* second.append(answers[2]!)
          yield* first.append(answers[3]!)
        })
      )
      assert.deepStrictEqual(yield* opened(file), { kept: [...answers], damaged: 1 })
    })
  )

  for (const [field, other] of [
    ["benchmark", "nano"],
    ["model", "m2"],
    ["settings", "{...}"]
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
          `written for ${field} ${key[field]}, but this run has ${other}; use another output directory`
        )
        assert.deepStrictEqual(readFileSync(file), before)
      })
    )
  }

  it.effect("of another version, or without a whole line, is a typed error, and the file stays as it is", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "journal.jsonl")
      const old = JSON.stringify({ journal: "speedq-evaluation", version: 1, data: "d1", ...key })
      writeFileSync(file, `${old}\n{"index":"1","prediction":"A"}\n`)
      const error = yield* Effect.flip(session(file))
      assert.strictEqual(error._tag, "JournalMismatch")
      assert.match(error.message, /written for version 1, but this run has 2; use another output directory/)
      writeFileSync(file, "{}\nnotes\n")
      const foreign = yield* Effect.flip(session(file))
      assert.strictEqual(foreign._tag, "JournalDamaged")
      assert.match(foreign.message, /journal\.jsonl: none of its 2 lines is a whole line of this run's journal/)
      assert.strictEqual(readFileSync(file, "utf8"), "{}\nnotes\n")
    })
  )

  it.effect("what the system refuses is a typed error", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      assert.match(
        (yield* Effect.flip(session(directory))).message,
        /cannot read: it is not a regular file, but a directory/
      )
      writeFileSync(join(directory, "file"), "")
      const error = yield* Effect.flip(session(join(directory, "file", "journal.jsonl")))
      assert.strictEqual(error._tag, "FileFailed")
      assert.match(error.message, /cannot create the directory of: /)
    })
  )
})
