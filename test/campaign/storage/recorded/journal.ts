/** The journal of an evaluation that ended in the middle and was continued, with answers that come quickly and ones that take long. */
import { join } from "node:path"
import { type JournalEntry, type JournalKey, openJournal } from "@speedq/evaluation"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { Campaign } from "../../Campaign.ts"
import { describeError, emptyDirectory } from "../../runs.ts"
import { type Image, writeImage } from "../Disk.ts"
import type { Recorded } from "../Recorded.ts"
import { record } from "../recording.ts"

const key: JournalKey = { benchmark: "b", model: "m", settings: "s" }
const fileIn = (directory: string): string => join(directory, "answers", "journal.jsonl")
/** After each answer so many seconds pass, in two processes. */
const pauses = [
  [0, 0.4, 0.4, 0.4, 0.4, 3, 0.1, 30, 30],
  [0.2, 0.2, 60, 0.9, 0.9, 0.9]
]
const answerOf = (at: number): JournalEntry => ({ index: `${at}`, prediction: `answer ${at}`, question: `q${at}` })
const all = pauses.flat().map((_, at) => answerOf(at))

/** Real time in which what a timer began is done: the clock of the work is not that of its files. */
const settle = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))

interface Promised {
  /** Answers that were given, which outlive the process. */
  readonly given: number
  /** Those among them that were given a second ago, which outlive a loss of power. */
  readonly old: number
}

const recordAnswers = async (root: string) => {
  const givenAt: number[] = []
  let now = 0
  const promised = (): Promised => ({ given: givenAt.length, old: givenAt.filter((at) => now - at > 1000).length })
  const work = Effect.gen(function* () {
    const { append } = yield* openJournal(fileIn(root), key)
    for (const pause of pauses[givenAt.length === 0 ? 0 : 1]!) {
      yield* append(answerOf(givenAt.length))
      givenAt.push(now)
      // A hair at a time, so that a timer finds its second at its end.
      for (let passed = 0; passed < pause; passed += 0.1) {
        yield* TestClock.adjust("100 millis")
        yield* settle
        now = yield* Clock.currentTimeMillis
      }
    }
  }).pipe(Effect.scoped)
  const both = Effect.andThen(work, work).pipe(Effect.provide(TestClock.layer()))
  return record(root, promised, () => Effect.runPromise(both))
}

/** The answers that are kept in `directory`, after `more` were added. */
const answersIn = (directory: string, more: readonly JournalEntry[] = []) =>
  Effect.flatMap(openJournal(fileIn(directory), key), ({ answered, append }) =>
    Effect.as(Effect.forEach(more, append), [...answered.values()])
  ).pipe(Effect.scoped)

/** What is wrong with the answers that are kept. */
const wrongWith = (found: readonly JournalEntry[], expected: number): string | undefined => {
  const known = new Map(all.map((answer) => [answer.question, JSON.stringify(answer)]))
  const wrong = found.find((answer) => known.get(answer.question) !== JSON.stringify(answer))
  if (wrong !== undefined) return `an answer that nobody gave: ${JSON.stringify(wrong)}`
  const missing = all.slice(0, expected).find(({ question }) => !found.some((answer) => answer.question === question))
  return missing && `the answer to ${missing.question} is gone`
}

const outcome = (reading: Effect.Effect<readonly JournalEntry[], unknown>, expected: number) =>
  Effect.runPromise(reading).then(
    (found) => wrongWith(found, expected),
    (error: unknown) => `the journal cannot be opened: ${describeError(error)}`
  )

/** Answers outlive the process at once, and a loss of power after a second; none is kept that nobody gave. */
export const recordedJournal = async ({ scratch }: Campaign): Promise<Recorded> => {
  const root = emptyDirectory(scratch, "recorded-journal")
  const moments = await recordAnswers(root)
  const read = (image: Image, expected: number) => {
    const directory = emptyDirectory(scratch, "journal")
    writeImage(image, directory)
    return outcome(answersIn(directory), expected)
  }
  return {
    name: "journal",
    root,
    operations: moments.map(({ operation }) => operation),
    wrong: (image, index, loss) => {
      const { given, old } = moments[index]!.promised
      return read(image, loss === "nothing" ? given : old)
    },
    wrongAfter: (directory) => outcome(Effect.andThen(answersIn(directory, all), answersIn(directory)), all.length),
    goesOnEvery: 4
  }
}
