/** Events on a terminal: one bar for the running stage, with its rate and the time left, and the lines above it. */
import { printableLine } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { formatDuration, formatNumber } from "../../text/format.ts"
import { isEntryOf, type Sink } from "../Events.ts"
import { RunFailed, StageStarted, StepDone } from "../runEvents.ts"
import { formatLine, type Output } from "./Output.ts"

interface Progress {
  readonly stage: string
  readonly from: number
  readonly startedAt: number
  readonly step: number
  readonly steps: number
  readonly at: number
  readonly loss: number | undefined
  readonly unit: string
}

const barWidth = 24
const redrawMilliseconds = 100
// Return to the first column, erase to the end of the line.
const clear = "\r\u001b[K"

/** Draws at most ten times a second. Rate and time left are averages since the stage was started or continued. */
export const progressBarsSink = (output: Output): Sink => {
  let progress: Progress | undefined
  let drawnAt = Number.NEGATIVE_INFINITY

  const draw = () => {
    if (progress !== undefined) output.write(clear + formatProgress(progress).slice(0, output.columns() - 1))
  }
  return {
    write: (entry) => {
      // Whoever started the run says why it failed.
      if (isEntryOf(RunFailed, entry)) return
      const { monotonic: at, stage = "" } = entry
      if (isEntryOf(StepDone, entry)) {
        const { step, steps, metrics, unit = "step" } = entry.event
        const { from, startedAt } = progress?.stage === stage ? progress : { from: step - 1, startedAt: at }
        progress = { stage, from, startedAt, step, steps, at, loss: metrics.loss, unit }
        if (at - drawnAt < redrawMilliseconds && step !== steps) return
        drawnAt = at
        return draw()
      }
      if (isEntryOf(StageStarted, entry)) {
        const { from, steps, unit = "step" } = entry.event
        progress = { stage, from, startedAt: at, step: from, steps, at, loss: undefined, unit }
      } else if (stage !== progress?.stage) {
        progress = undefined
      }
      const line = entry.line()
      if (line !== undefined) output.write(`${clear}${formatLine(entry.stage, entry.warning, line)}\n`)
      draw()
    },
    flush: Effect.void
  }
}

/** `02-qat  [██████------]  50 %  100/200  3.2 steps/s  31.0 s left  loss 1.25`. */
const formatProgress = (progress: Progress): string => {
  const { stage, from, startedAt, step, steps, at, loss, unit } = progress
  const share = steps === 0 ? 1 : step / steps
  const filled = Math.round(share * barWidth)
  const bar = `[${"█".repeat(filled)}${"-".repeat(barWidth - filled)}]`
  const parts = [printableLine(stage), bar, `${String(Math.floor(share * 100)).padStart(3)} %`, `${step}/${steps}`]
  const millisecondsPerStep = (at - startedAt) / (step - from)
  if (step > from && millisecondsPerStep > 0) {
    parts.push(formatRate(millisecondsPerStep, unit), `${formatDuration(millisecondsPerStep * (steps - step))} left`)
  }
  if (loss !== undefined) parts.push(`loss ${formatNumber(loss)}`)
  return parts.join("  ")
}

const formatRate = (millisecondsPerStep: number, unit: string): string =>
  millisecondsPerStep < 1000
    ? `${formatNumber(1000 / millisecondsPerStep)} ${unit}s/s`
    : `${formatDuration(millisecondsPerStep)}/${unit}`
