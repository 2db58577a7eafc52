/** Events as plain lines, for logs and pipes: every text, and of the steps one every few seconds. */
import * as Effect from "effect/Effect"
import { isEntryOf, type Sink } from "../Events.ts"
import { RunFailed, StepDone } from "../runEvents.ts"
import { formatLine, type Output } from "./Output.ts"

/** Prints a step at most every `stepSeconds`, and the last one of a stage always. */
export const plainLinesSink = (output: Output, stepSeconds = 10): Sink => {
  let lastStep = Number.NEGATIVE_INFINITY
  return {
    write: (entry) => {
      // Whoever started the run says why it failed.
      if (isEntryOf(RunFailed, entry)) return
      const { monotonic, stage, warning } = entry
      if (isEntryOf(StepDone, entry)) {
        const { step, steps } = entry.event
        if (monotonic - lastStep < stepSeconds * 1000 && step !== steps) return
        lastStep = monotonic
      }
      const line = entry.line()
      if (line !== undefined) output.write(`${formatLine(stage, warning, line)}\n`)
    },
    flush: Effect.void
  }
}
