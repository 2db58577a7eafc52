/** How far a run is, as a person reads it. */
import {
  formatBytes,
  formatDuration,
  formatNumber,
  formatTime,
  type RunnerTable,
  type RunStatus,
  type StageStatus
} from "@speedq/pipeline"
import { builtIn, type ExtensionLists, inCode, missingPlugins, recordedPlugins } from "@speedq/stages"
import { type Cell, fittingTable, textTable } from "../command/textTable.ts"
import { toned } from "../command/tones.ts"

const tones = { finished: "good", stale: "careful", begun: "strong" } as const
const tonedState = (state: StageStatus["state"]): string => (state === "waiting" ? state : toned(tones[state], state))

const row = ({ place, state, step, savedStep, steps, loss, left, keptBytes }: StageStatus): readonly Cell[] => [
  place,
  tonedState(state),
  steps === undefined ? "" : `${step}/${steps}`,
  state === "begun" ? savedStep : "",
  state === "begun" && left !== undefined ? formatDuration(left) : "",
  loss === undefined ? "" : formatNumber(loss),
  keptBytes === 0 ? "" : formatBytes(keptBytes)
]

/** `3 min 5 s ago`. */
const ago = (at: number | undefined, now: number): string =>
  at === undefined ? "unknown" : `${formatDuration(Math.max(0, now - at))} ago`

const stateLine = ({ directory, state, message, owner, seenAt }: RunStatus, now: number): string => {
  const again = `"speedq run ${directory}" continues`
  switch (state) {
    case "running":
      return `${toned("strong", "running")}, process ${owner?.pid} on ${owner?.host} since ${owner?.since}`
    case "unknown":
      return `last sign of life ${ago(seenAt, now)}, from process ${owner?.pid} on ${owner?.host}, which cannot be seen from here`
    case "finished":
      return toned("good", "finished")
    case "interrupted":
      return `${toned("careful", "interrupted and saved")}; ${again} it`
    case "failed":
      return `${toned("bad", "failed")}: ${message}`
    case "stopped":
      return `${toned("bad", "stopped unexpectedly")} (killed, or the machine went down), last sign of life ${ago(seenAt, now)}; ${again} after the last saved step`
  }
}

/** The plugins that the run was made with and needs to continue, and whether they are given now. */
const pluginLines = ({ record }: RunStatus, given: ExtensionLists): readonly string[] => {
  const missing = missingPlugins(record.surroundings, given).map(({ name }) => name)
  return recordedPlugins(record.surroundings).map(({ name, brought }) =>
    name === inCode
      ? `made in code with ${brought}`
      : `made with --plugin ${name}${missing.includes(name) ? "" : " (given)"}: ${brought}`
  )
}

/** What the run went on with that it was not begun with, such as another GPU. */
const changeLines = ({ record: { changes = [] } }: RunStatus): readonly string[] =>
  changes.map(
    ({ at, field, before, after }) =>
      `${toned("careful", "changed")} on ${formatTime(Date.parse(at))} UTC, so bits may differ: ${field}: ${before} -> ${after}`
  )

/** What has to be known of results that no longer hold. */
const staleLines = ({ stages }: RunStatus): readonly string[] => {
  const stale = stages.flatMap(({ place, state }) => (state === "stale" ? [place] : []))
  if (stale.length === 0) return []
  return [
    "",
    `${toned("careful", "stale")}: made before the recipe, its data or an earlier stage changed; will be computed again: ${stale.join(", ")}`
  ]
}

const isAtWork = ({ state }: RunStatus): boolean => state === "running" || state === "unknown"

const percent = ({ progress: { share } }: RunStatus): string =>
  share === undefined ? "" : `${Math.floor(100 * share)} %`

/** `about 5 min 3 s`, nothing where it is unknown or there is none. */
const left = (run: RunStatus): string =>
  run.progress.left === undefined || run.state === "finished" ? "" : `about ${formatDuration(run.progress.left)}`

/** How much is done, how long that took since the run was last begun or continued, and how long the rest takes. */
const progressLine = (run: RunStatus): string => {
  const finished = run.stages.filter(({ state }) => state === "finished").length
  const parts = [
    percent(run),
    `${finished} of ${run.stages.length} stages`,
    `${isAtWork(run) ? "at work for" : "worked for"} ${formatDuration(run.elapsed)}`,
    left(run) === "" ? "" : `${left(run)} left`
  ]
  return parts.filter((part) => part !== "").join(", ")
}

const scoreLines = ({ scores }: RunStatus): readonly string[] =>
  scores === undefined ? [] : ["", "scores so far", fittingTable(scores.columns, scores.rows)]

/** Who computes for a run or ablation, how fast, and how much of it. */
const runnerLines = (table: RunnerTable | undefined): readonly string[] => {
  if (table === undefined) return []
  const units = table.runners.reduce((sum, runner) => sum + runner.units, table.here)
  const share = (part: number): string => (units === 0 ? "" : `${Math.round((100 * part) / units)} %`)
  const rows = table.runners.map(({ name, backend, present, refused, units: own, milliseconds }) => [
    name,
    refused === undefined ? (present ? "present" : "gone") : toned("careful", `takes no part: ${refused}`),
    backend,
    own,
    own === 0 ? "" : formatDuration(milliseconds / own),
    share(own)
  ])
  const here = table.here === 0 ? [] : [["the run itself", "", "", table.here, "", share(table.here)]]
  const columns = ["runner", "", "backend", "units", "each", "share"]
  return ["", `runners of ${table.cluster}`, textTable(columns, [...rows, ...here])]
}

/** State, progress, stages, scores; `now` in milliseconds since 1970. */
export const describeStatus = (run: RunStatus, now: number, given: ExtensionLists = builtIn): string =>
  [
    `${run.directory}: ${stateLine(run, now)}`,
    progressLine(run),
    ...pluginLines(run, given),
    ...changeLines(run),
    "",
    textTable(["stage", "state", "steps", "saved", "left", "loss", "kept"], run.stages.map(row)),
    ...staleLines(run),
    ...runnerLines(run.runners),
    ...scoreLines(run)
  ].join("\n")

/** Several runs, a line each, and who computes for the ablation that they are of; no run is an evaluation that runners share. */
export const describeRuns = (runs: readonly RunStatus[], now: number, runners?: RunnerTable): string =>
  runs.length === 0
    ? runnerLines(runners).slice(1).join("\n")
    : [runTable(runs, now), ...runnerLines(runners)].join("\n")

const runTable = (runs: readonly RunStatus[], now: number): string =>
  textTable(
    ["run", "stages", "done", "left", ""],
    runs.map((run) => {
      const finished = run.stages.filter(({ state }) => state === "finished").length
      const stale = run.stages.filter(({ state }) => state === "stale").length
      const state = `${stateLine(run, now)}${stale === 0 ? "" : `; stages that are stale: ${stale}`}`
      return [run.directory, `${finished}/${run.stages.length}`, percent(run), left(run), state]
    })
  )
