/** Events as plain lines, for logs and pipes: every text, of the steps one every few seconds, and how long each stage takes. */
import * as Effect from "effect/Effect"
import { formatDuration } from "../../text/format.ts"
import { type Entry, isEntryOf, type Sink } from "../Events.ts"
import { RunFailed, StageStarted, StepDone } from "../runEvents.ts"
import { type Followed, followed, nothingYet } from "./followRun.ts"
import { formatLine, type Output } from "./Output.ts"
import { leftOf, leftOfRun } from "./progressLines.ts"

/** The first steps of a stage find its data, or compile: their rate is not that of the others. */
const firstSteps = 3

/** How long what begins will take: of a stage, and of the run with it; of a stage at work what is left of it. */
const timeOf = ({ run, stage }: Followed, entry: Entry): string => {
  if (stage === undefined) return ""
  const seconds = run?.seconds[stage.stage]
  if (isEntryOf(StepDone, entry)) {
    const left = leftOf(stage)
    const isKnown = stage.step - stage.from >= firstSteps && stage.step < stage.steps
    return left === undefined || !isKnown ? "" : `  ${formatDuration(left)} left`
  }
  if (!isEntryOf(StageStarted, entry) || run === undefined) return ""
  const ofRun = leftOfRun(run, stage)
  const parts = [
    seconds === undefined
      ? undefined
      : `about ${formatDuration(1000 * seconds * (1 - stage.from / Math.max(1, stage.steps)))}`,
    ofRun === undefined ? undefined : `${formatDuration(ofRun)} left of the run`
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? "" : `; ${parts.join(", ")}`
}

/** Prints a step at most every `stepSeconds`, and the last one of a stage always. */
export const plainLinesSink = (output: Output, stepSeconds = 10): Sink => {
  let lastStep = Number.NEGATIVE_INFINITY
  let progress = nothingYet
  return {
    write: (entry) => {
      progress = followed(progress, entry)
      // Whoever started the run says why it failed.
      if (isEntryOf(RunFailed, entry)) return
      const { monotonic, stage, warning } = entry
      if (isEntryOf(StepDone, entry)) {
        const { step, steps } = entry.event
        if (monotonic - lastStep < stepSeconds * 1000 && step !== steps) return
        lastStep = monotonic
      }
      const line = entry.line()
      if (line !== undefined) output.write(`${formatLine(stage, warning, `${line}${timeOf(progress, entry)}`)}\n`)
    },
    flush: Effect.void
  }
}
