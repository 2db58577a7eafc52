/** How far a run and its stage are, by their events: for whoever shows it. */
import { type Entry, isEntryOf } from "../Events.ts"
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
import type { RunProgress, StageProgress } from "./progressLines.ts"

/** Undefined before the run, or a stage, has begun, and after it has ended. */
export interface Followed {
  readonly run: RunProgress | undefined
  readonly stage: StageProgress | undefined
}

/** Whether the run is at its end, so that nothing is shown any more. */
const isLast = (entry: Entry): boolean =>
  isEntryOf(Interrupted, entry) || isEntryOf(RunFailed, entry) || isEntryOf(RunFinished, entry)

const stageAfter = (current: StageProgress | undefined, entry: Entry): StageProgress | undefined => {
  const { monotonic: at, stage = "" } = entry
  if (isEntryOf(RunStarted, entry)) return undefined
  if (isEntryOf(StageStarted, entry)) {
    const { from, steps, unit = "step" } = entry.event
    return { stage, from, startedAt: at, step: from, steps, at, loss: undefined, unit }
  }
  if (isEntryOf(StepDone, entry)) {
    const { step, steps, metrics, unit = "step" } = entry.event
    const { from, startedAt } = current?.stage === stage ? current : { from: step - 1, startedAt: at }
    return { stage, from, startedAt, step, steps, at, loss: metrics.loss, unit }
  }
  return stage !== current?.stage || isLast(entry) ? undefined : current
}

const runAfter = (run: RunProgress | undefined, entry: Entry): RunProgress | undefined => {
  const { monotonic: startedAt, stage = "" } = entry
  if (isEntryOf(RunStarted, entry)) {
    const { stages: places, seconds = {} } = entry.event
    return { places, seconds, finished: new Set(), startedAt }
  }
  if (run === undefined || !(isEntryOf(StageFinished, entry) || isEntryOf(StageReused, entry))) return run
  return { ...run, finished: new Set([...run.finished, stage]) }
}

/** What is known after `entry`. */
export const followed = ({ run, stage }: Followed, entry: Entry): Followed => ({
  run: runAfter(run, entry),
  stage: stageAfter(stage, entry)
})

export const nothingYet: Followed = { run: undefined, stage: undefined }
