/** Events on a terminal: a bar for the run and one for its stage, with rate, time left and memory, and the lines above them. */
import * as Effect from "effect/Effect"
import { type Entry, isEntryOf, type Sink } from "../Events.ts"
import {
  Interrupted,
  RunFailed,
  RunFinished,
  RunStarted,
  StageFinished,
  StageReused,
  StageStarted,
  StepDone
} from "../runEvents.ts"
import { liveLines } from "./liveLines.ts"
import { colored, formatLine, type Output } from "./Output.ts"
import { type RunProgress, runLine, type StageProgress, stageLine } from "./progressLines.ts"

const redrawMilliseconds = 100
// After Ctrl-C the terminal writes ^C behind the last line, which must not reach the next one.
const roomAtEnd = 3
const residentBytes = (): number => process.memoryUsage.rss()

/** Whether the run is at its end, so that nothing is drawn any more. */
const isLast = (entry: Entry): boolean =>
  isEntryOf(Interrupted, entry) || isEntryOf(RunFailed, entry) || isEntryOf(RunFinished, entry)

/** Draws at most ten times a second. Rate and time left are averages since the stage was started or continued. */
export const progressBarsSink = (output: Output, memoryBytes = residentBytes): Sink => {
  const live = liveLines(output)
  let run: RunProgress | undefined
  let current: StageProgress | undefined
  let drawnAt = Number.NEGATIVE_INFINITY

  const draw = () => {
    if (current === undefined) return
    const width = output.columns() - roomAtEnd
    const ofRun = run?.places.includes(current.stage) ? [runLine(run, current, memoryBytes(), width)] : []
    live.draw([...ofRun, stageLine(current, width)])
  }

  const follow = (entry: Entry) => {
    const { monotonic: at, stage = "" } = entry
    if (isEntryOf(RunStarted, entry)) {
      const { stages: places, seconds = {} } = entry.event
      run = { places, seconds, finished: new Set(), startedAt: at }
      current = undefined
    } else if (isEntryOf(StageStarted, entry)) {
      const { from, steps, unit = "step" } = entry.event
      current = { stage, from, startedAt: at, step: from, steps, at, loss: undefined, unit }
    } else if (stage !== current?.stage || isLast(entry)) {
      current = undefined
    }
    if (run !== undefined && (isEntryOf(StageFinished, entry) || isEntryOf(StageReused, entry))) {
      run = { ...run, finished: new Set([...run.finished, stage]) }
    }
  }

  const line = (entry: Entry): string | undefined => {
    const text = entry.line()
    if (text === undefined) return undefined
    const shown = formatLine(entry.stage, entry.warning, text)
    if (!output.hasColors) return shown
    return entry.warning ? colored("yellow", shown) : entry.result ? colored("green", shown) : shown
  }

  return {
    write: (entry) => {
      const { monotonic: at, stage = "" } = entry
      if (isEntryOf(StepDone, entry)) {
        const { step, steps, metrics, unit = "step" } = entry.event
        const { from, startedAt } = current?.stage === stage ? current : { from: step - 1, startedAt: at }
        current = { stage, from, startedAt, step, steps, at, loss: metrics.loss, unit }
        if (at - drawnAt < redrawMilliseconds && step !== steps) return
        drawnAt = at
        return draw()
      }
      follow(entry)
      live.erase()
      // Whoever started the run says why it failed.
      const shown = isEntryOf(RunFailed, entry) ? undefined : line(entry)
      if (shown !== undefined) output.write(`${shown}\n`)
      draw()
    },
    flush: Effect.void,
    close: Effect.sync(live.erase)
  }
}
