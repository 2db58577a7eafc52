/** How far a run is, as a person reads it. */
import { formatBytes, formatNumber, type RunStatus, type StageStatus } from "@speedq/pipeline"
import { builtIn, type ExtensionLists, inCode, missingPlugins, recordedPlugins } from "@speedq/stages"
import { type Cell, textTable } from "../command/textTable.ts"

const row = ({ place, state, step, savedStep, steps, loss, keptBytes }: StageStatus): readonly Cell[] => [
  place,
  state,
  steps === undefined ? "" : `${step}/${steps}`,
  state === "begun" ? savedStep : "",
  loss === undefined ? "" : formatNumber(loss),
  keptBytes === 0 ? "" : formatBytes(keptBytes)
]

const stateLine = ({ state, message, owner }: RunStatus): string => {
  switch (state) {
    case "running":
      return `running, process ${owner?.pid} on ${owner?.host} since ${owner?.since}`
    case "finished":
      return "finished"
    case "interrupted":
      return "interrupted and saved; the same command continues"
    case "failed":
      return `failed: ${message}`
    case "stopped":
      return "stopped unexpectedly (killed, or the machine went down); the same command continues after the last saved step"
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

/** What has to be known of results that no longer hold. */
const staleLines = ({ stages }: RunStatus): readonly string[] => {
  const stale = stages.flatMap(({ place, state }) => (state === "stale" ? [place] : []))
  if (stale.length === 0) return []
  return [
    "",
    `stale: made before the recipe, its data or an earlier stage changed; will be computed again: ${stale.join(", ")}`
  ]
}

/** State and stages. */
export const describeStatus = (run: RunStatus, given: ExtensionLists = builtIn): string =>
  [
    `${run.directory}: ${stateLine(run)}`,
    ...pluginLines(run, given),
    "",
    textTable(["stage", "state", "steps", "saved", "loss", "kept"], run.stages.map(row)),
    ...staleLines(run)
  ].join("\n")

/** The runs of an ablation, a line each. */
export const describeRuns = (runs: readonly RunStatus[]): string =>
  textTable(
    ["run", "stages", ""],
    runs.map((run) => {
      const finished = run.stages.filter(({ state }) => state === "finished").length
      return [run.directory, `${finished}/${run.stages.length}`, stateLine(run)]
    })
  )
