/** The first chapter: what ran, how far it is, and every warning. */
import { eventsOf, type LoggedEvent, lastOf } from "../events/readEvents.ts"
import * as RunEvents from "../events/runEvents.ts"
import type { Section } from "../report/Report.ts"
import { formatBytes, formatDuration, formatTime } from "../text/format.ts"
import type { StageHistory } from "./stageHistory.ts"
import { ending, type RunStatus } from "./status.ts"

export const runSections = (
  run: RunStatus,
  events: ReadonlyArray<LoggedEvent>,
  historyOf: (key: string | undefined) => StageHistory | undefined
): ReadonlyArray<Section> => [stageTable(run, historyOf), factTable(run, events), ...noticeTables(events)]

const stageTable = (run: RunStatus, historyOf: (key: string | undefined) => StageHistory | undefined): Section => {
  // Where all is by one build, the facts below name it.
  const byOthers = run.stages.some(({ builds }) => builds.some((build) => build !== run.record.build))
  const rows = run.stages.map(({ place, state, step, steps, key, keptBytes, builds }) => {
    const history = historyOf(key)
    const last = lastOf(RunEvents.StepDone, history?.events ?? [])
    return [
      place,
      state,
      steps === undefined || steps === 0 ? "-" : `${step}/${steps}`,
      last?.metrics.loss ?? "-",
      history === undefined ? "-" : formatDuration(history.milliseconds),
      keptBytes > 0 ? formatBytes(keptBytes) : "-",
      ...(byOthers ? [builds.join(", then ")] : [])
    ]
  })
  return {
    _tag: "Table",
    title: "Stages",
    columns: ["stage", "state", "steps", "last loss", "time", "kept", ...(byOthers ? ["made by"] : [])],
    rows,
    stale: run.stages.flatMap(({ state }, index) => (state === "stale" ? [index] : []))
  }
}

const factTable = ({ record, stages }: RunStatus, events: ReadonlyArray<LoggedEvent>): Section => {
  const { state, message } = ending(stages, events)
  return {
    _tag: "Table",
    title: "What it rests on",
    columns: ["what", "value"],
    rows: [
      ["state", message === undefined ? state : `${state}: ${message}`],
      ["started", formatTime(Date.parse(record.startedAt))],
      ["continued", record.continuedAt.length],
      ["build", record.build],
      // A report is shown to others, whom the machine's name does not concern; run.json has it.
      ...Object.entries(record.surroundings).filter(([what]) => what !== "host")
    ]
  }
}

/** Warnings in the order they came; replaced samples are only counted, for there may be thousands. */
const noticeTables = (events: ReadonlyArray<LoggedEvent>): ReadonlyArray<Section> => {
  const substituted = new Map<string, number>()
  for (const { event, stage = "" } of eventsOf(RunEvents.DataSubstituted, events)) {
    const where = `${stage}\n${event.source}`
    substituted.set(where, (substituted.get(where) ?? 0) + 1)
  }
  const notices = events.flatMap(({ at, stage = "", tag, warning }) =>
    warning === undefined || tag === RunEvents.DataSubstituted.tag ? [] : [[formatTime(at), stage, warning]]
  )
  const counts = [...substituted].map(([where, count]) => [...where.split("\n"), count])
  return [
    ...table("Warnings", ["time (UTC)", "stage", "what"], notices),
    ...table("Samples that were replaced", ["stage", "source", "count"], counts)
  ]
}

const table = (
  title: string,
  columns: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number>>
): ReadonlyArray<Section> => (rows.length === 0 ? [] : [{ _tag: "Table", title, columns, rows }])
