/**
 * Whether a process still does something, seen from outside. A computation blocks its event loop for as long as it takes, but then the
 * system counts processor time; a process that waits answers. One that does neither stands still: stopped by a signal, in a deadlock, or
 * in a read that a file system does not answer.
 */
import { readTextSync } from "@speedq/formats"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** For how long the process that computes for a runner may neither compute nor answer. Writes to a slow disk may keep it for a while. */
export const StillPatience = Context.Reference<{ readonly milliseconds: number }>("speedq/StillPatience", {
  defaultValue: () => ({ milliseconds: 120_000 })
})

const lookMilliseconds = 1000

/** Processor time of all threads, in hundredths of a second; undefined where the system does not tell, or the process has ended. */
const processorTime = (pid: number): number | undefined => {
  try {
    // The name of the program, in brackets, may hold anything.
    const fields = readTextSync(`/proc/${pid}/stat`)
      .replace(/^.*\) /s, "")
      .split(" ")
    return Number(fields[11]) + Number(fields[12])
  } catch {
    return undefined
  }
}

/**
 * Ends when a process has stood still for too long; `answered` asks it for an answer. Looks are counted, not the time between them: what
 * stops this process with the other one, such as a laptop that is closed, is none of the other's doing. Never where the system does not
 * tell processor times.
 */
export const untilStill = Effect.fnUntraced(function* <E>(pid: number, answered: Effect.Effect<unknown, E>) {
  const { milliseconds } = yield* StillPatience
  let [before, hasAnswered, looks] = [processorTime(pid), false, 0]
  if (before === undefined) return yield* Effect.never
  const hearing = Effect.forever(
    Effect.andThen(
      answered,
      Effect.andThen(
        Effect.sync(() => {
          hasAnswered = true
        }),
        Effect.sleep(lookMilliseconds)
      )
    )
  )
  const looking = Effect.gen(function* () {
    while (looks * lookMilliseconds < milliseconds) {
      yield* Effect.sleep(lookMilliseconds)
      const now = processorTime(pid)
      looks = now !== before || hasAnswered ? 0 : looks + 1
      before = now
      hasAnswered = false
    }
  })
  // That it cannot be asked any more is told by its end.
  yield* Effect.raceFirst(Effect.andThen(Effect.ignore(hearing), Effect.never), looking)
})
