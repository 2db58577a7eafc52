/** The first chapter: what ran, how far it is, every warning, and what was left out of the data. */
import { eventsOf, type LoggedEvent } from "../events/readEvents.ts"
import * as RunEvents from "../events/runEvents.ts"
import type { Section } from "../report/Report.ts"
import { formatBytes, formatCount, formatDuration, formatTime } from "../text/format.ts"
import type { StageHistory } from "./stageHistory.ts"
import type { RunStatus, StageStatus } from "./status.ts"

export const runSections = (
  run: RunStatus,
  events: ReadonlyArray<LoggedEvent>,
  historyOf: (key: string | undefined) => StageHistory | undefined
): ReadonlyArray<Section> => [...noticeTables(events), stageTable(run, historyOf)]

/** How far a run is, in a sentence: what a report begins with as long as there is no result. */
export const progressLine = (name: string, stages: ReadonlyArray<StageStatus>, state: string): string => {
  const finished = stages.filter((stage) => stage.state === "finished").length
  const current = stages.find((stage) => stage.state !== "finished")
  const at = current === undefined ? "" : `, at ${current.place}`
  return `${name}: ${state}, ${finished} of ${stages.length} stages done${at}`
}

const stageTable = (run: RunStatus, historyOf: (key: string | undefined) => StageHistory | undefined): Section => {
  // Where all is by the build of the run, the facts below name it; where it is by one other, the note does.
  const makers = new Set(run.stages.flatMap(({ builds }) => (builds.length === 0 ? [] : [builds.join(", then ")])))
  const [maker] = makers
  const byOthers = makers.size > 1
  const rows = run.stages.map(({ place, state, step, steps, key, keptBytes, builds }) => {
    const history = historyOf(key)
    const done = eventsOf(RunEvents.StepDone, history?.events ?? [])
    const loss = done.findLast(({ event }) => event.metrics.loss !== undefined)?.event.metrics.loss
    return [
      place,
      state,
      steps === undefined || steps === 0 ? "-" : `${step}/${steps}`,
      loss ?? "-",
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
    ...(makers.size === 1 && maker !== run.record.build ? { note: `Made by ${maker}.` } : {}),
    stale: run.stages.flatMap(({ state }, index) => (state === "stale" ? [index] : []))
  }
}

interface Notice {
  readonly at: number
  readonly stage: string
  readonly warning: string
}

/** Stages of one warning that are named. */
const mostNamed = 3

/** A row for all that say the same: when the first came, and of which stages. */
const sameWords = (notices: ReadonlyArray<Notice>): ReadonlyArray<ReadonlyArray<string>> => {
  const groups = new Map<string, { readonly at: number; readonly stages: Set<string> }>()
  for (const { at, stage, warning } of notices) {
    const group = groups.get(warning) ?? { at, stages: new Set() }
    group.stages.add(stage)
    groups.set(warning, group)
  }
  const named = (stages: ReadonlySet<string>) =>
    stages.size > mostNamed ? formatCount(stages.size, "stage") : [...stages].join(", ")
  return [...groups].map(([warning, { at, stages }]) => [formatTime(at), named(stages), warning])
}

/** Warnings in the order they came; replaced samples are only counted, for there may be thousands. */
const noticeTables = (events: ReadonlyArray<LoggedEvent>): ReadonlyArray<Section> => {
  const substituted = new Map<string, number>()
  for (const { event, stage = "" } of eventsOf(RunEvents.DataSubstituted, events)) {
    const where = `${stage}\n${event.source}`
    substituted.set(where, (substituted.get(where) ?? 0) + 1)
  }
  const notices = sameWords(
    events.flatMap(({ at, stage = "", tag, warning }) =>
      warning === undefined || tag === RunEvents.DataSubstituted.tag ? [] : [{ at, stage, warning }]
    )
  )
  const counts = [...substituted].map(([where, count]) => [...where.split("\n"), count])
  if (notices.length + counts.length === 0) {
    return [{ _tag: "Text", title: "", paragraphs: ["No warnings, and no record was dropped or replaced."] }]
  }
  return [
    ...table("Warnings", ["first at (UTC)", "stage", "what"], notices),
    ...table("Records that were replaced", ["stage", "source", "count"], counts)
  ]
}

const table = (
  title: string,
  columns: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number>>
): ReadonlyArray<Section> => (rows.length === 0 ? [] : [{ _tag: "Table", title, columns, rows }])
