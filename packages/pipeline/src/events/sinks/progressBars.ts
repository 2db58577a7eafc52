/** Events on a terminal: a bar for the run and one for its stage, with rate, time left and memory, and the lines above them. */
import * as Effect from "effect/Effect"
import { type Entry, isEntryOf, type Sink } from "../Events.ts"
import { RunFailed, StepDone } from "../runEvents.ts"
import { followed, nothingYet } from "./followRun.ts"
import { liveLines } from "./liveLines.ts"
import { colored, formatLine, type Output } from "./Output.ts"
import { runLine, stageLine } from "./progressLines.ts"

const redrawMilliseconds = 100
// After Ctrl-C the terminal writes ^C behind the last line, which must not reach the next one.
const roomAtEnd = 3
const residentBytes = (): number => process.memoryUsage.rss()

/** Draws at most ten times a second. Rate and time left are averages since the stage was started or continued. */
export const progressBarsSink = (output: Output, memoryBytes = residentBytes): Sink => {
  const live = liveLines(output)
  let progress = nothingYet
  let drawnAt = Number.NEGATIVE_INFINITY

  const draw = () => {
    const { run, stage } = progress
    if (stage === undefined) return
    const width = output.columns() - roomAtEnd
    const ofRun = run?.places.includes(stage.stage) ? [runLine(run, stage, memoryBytes(), width)] : []
    live.draw([...ofRun, stageLine(stage, width)])
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
      progress = followed(progress, entry)
      if (isEntryOf(StepDone, entry)) {
        const { step, steps } = entry.event
        if (entry.monotonic - drawnAt < redrawMilliseconds && step !== steps) return
        drawnAt = entry.monotonic
        return draw()
      }
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
