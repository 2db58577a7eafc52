/** Sorts a log by what it tells about: the events of each stage result, whatever was interrupted, repeated or superseded in between. */
import { eventsOf, type LoggedEvent } from "../events/readEvents.ts"
import { DataChanged, RunStarted, StageFinished, StageStarted, StepDone } from "../events/runEvents.ts"

/** What the log holds about the result of one key. */
export interface StageHistory {
  /** Events of the steps that led to it, none twice: a continued stage repeats the steps after its last save. */
  readonly events: ReadonlyArray<LoggedEvent>
  /** Time that processes spent on it, in milliseconds. */
  readonly milliseconds: number
}

/** Histories by the key of the stage. */
export const stageHistories = (events: ReadonlyArray<LoggedEvent>): ReadonlyMap<string, StageHistory> => {
  const histories = new Map<string, { events: Array<LoggedEvent>; milliseconds: number }>()
  const running = new Map<string, { key: string; at: number; before: number }>()
  for (const logged of events) {
    // Another process: the time between the two was nobody's.
    if (logged.tag === RunStarted.tag) running.clear()
    if (logged.stage === undefined) continue
    const [changed] = eventsOf(DataChanged, [logged])
    if (changed !== undefined) {
      const known = histories.get(changed.event.before)
      if (known !== undefined) histories.set(changed.event.after, { ...known, events: [...known.events] })
      continue
    }
    const [started] = eventsOf(StageStarted, [logged])
    if (started !== undefined) {
      const { key, from } = started.event
      const known = histories.get(key)
      const kept = from === 0 ? [] : (known?.events ?? []).filter((event) => stepOf(event) <= from)
      const before = known?.milliseconds ?? 0
      histories.set(key, { events: kept, milliseconds: before })
      running.set(logged.stage, { key, at: logged.at, before })
      continue
    }
    const current = running.get(logged.stage)
    const history = current === undefined ? undefined : histories.get(current.key)
    if (current === undefined || history === undefined) continue
    history.events.push(logged)
    // The end of a stage tells all that its last process took, with what comes before its first step.
    const [finished] = eventsOf(StageFinished, [logged])
    history.milliseconds =
      finished === undefined
        ? history.milliseconds + Math.max(0, logged.at - current.at)
        : current.before + finished.event.milliseconds
    current.at = logged.at
  }
  return histories
}

/** The step of a StepDone event, 0 for any other. */
const stepOf = (event: LoggedEvent): number => eventsOf(StepDone, [event])[0]?.event.step ?? 0
