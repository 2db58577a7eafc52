/** Everything that can be said of a recipe before it does anything, as data and as text. */
import {
  Forecast,
  failingWithRaised,
  formatBytes,
  formatDuration,
  Preflight,
  problemText,
  type Recipe,
  StageArithmetic
} from "@speedq/pipeline"
import { renderPlan } from "@speedq/quantizers"
import { onProcessor, ReleasedConfigs } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { textTable } from "../command/textTable.ts"
import { toned } from "../command/tones.ts"
import { computeFor } from "../run/computeFor.ts"
import { releasedConfig } from "../shipped/released.ts"
import { type LayerPlan, layerPlan } from "./layerPlan.ts"
import { tellingSurveys } from "./surveyProgress.ts"

export interface RecipePlan {
  readonly name: string
  readonly model: string
  readonly seed: number
  readonly directory: string
  /** Null where the layers cannot be told; then `problems` says why. */
  readonly layers: LayerPlan | null
  readonly forecast: Preflight.Plan
  readonly problems: Preflight.Plan["problems"]
  readonly fits: boolean
}

export interface PlanChoices {
  /** Measures how long the stages take. */
  readonly time: boolean
  /** What the run would compute on; the processor, by which nothing is started, when left out. */
  readonly backend?: BackendName | undefined
}

/** Plans `recipe` for a run in `directory`. Nothing fails but a backend that does not start: what stands in the way is among the problems. */
export const planRecipe = Effect.fn("planRecipe")(function* <E, R>(
  recipe: Recipe.AnyRecipe<E, R>,
  directory: string,
  { time, backend }: PlanChoices
) {
  const known = Effect.provideService(ReleasedConfigs, releasedConfig)
  const layers = yield* Effect.result(failingWithRaised(layerPlan(recipe)).pipe(known))
  const planning = Preflight.plan(recipe, directory, { time }).pipe(known, tellingSurveys)
  const forecast =
    backend === undefined
      ? yield* Effect.provideService(planning, StageArithmetic, onProcessor)
      : yield* Effect.provide(planning, computeFor(recipe, backend))
  const unplanned = Result.isFailure(layers) ? [Forecast.obstacleOf(layers.failure)] : []
  // What keeps the layers from being told mostly keeps the stages from being forecast, who have said so.
  const untold = unplanned.filter(({ issue }) => forecast.problems.every((problem) => problem.issue !== issue))
  const problems = [...untold.map((obstacle) => ({ stage: "all", ...obstacle })), ...forecast.problems]
  const { name, model, seed } = recipe.settings
  const planned: RecipePlan = {
    name,
    model,
    seed,
    directory,
    layers: Result.isSuccess(layers) ? layers.success : null,
    forecast,
    problems,
    fits: problems.length === 0
  }
  return planned
})

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 1e7 ? 3 : 1)

const sizeTable = ({ size, parameters }: LayerPlan): string => {
  const bits = (bytes: number, count: number) => (count === 0 ? "" : ((8 * bytes) / count).toFixed(3))
  const line = (part: LayerPlan["size"]["total"]) => [
    part.name,
    part.parameters.toLocaleString("en-US"),
    megabytes(part.bytes),
    bits(part.bytes, part.parameters)
  ]
  const plain = ["now (16 bits)", parameters.toLocaleString("en-US"), megabytes(2 * parameters), "16.000"]
  return textTable(["size", "parameters", "MB", "bits/parameter"], [...size.parts.map(line), line(size.total), plain])
}

const hasDevice = ({ device }: Preflight.Plan): boolean => device !== undefined

const stageTable = ({ forecast }: RecipePlan): string =>
  textTable(
    ["stage", "memory", ...(hasDevice(forecast) ? ["device"] : []), "saved state", "kept", "time", ""],
    forecast.stages.map(({ place, forecast: stage, finished, stale }) => [
      place,
      stage.memoryBytes === 0 ? "" : formatBytes(stage.memoryBytes),
      ...(hasDevice(forecast) ? [stage.deviceBytes ? formatBytes(stage.deviceBytes) : ""] : []),
      stage.checkpointBytes === 0 ? "" : formatBytes(stage.checkpointBytes),
      stage.outputBytes === 0 ? "" : formatBytes(stage.outputBytes),
      stage.seconds === undefined ? "unknown" : formatDuration(1000 * stage.seconds),
      finished ? "finished before" : stale === undefined ? "" : `${toned("careful", "stale")}: runs again (${stale})`
    ])
  )

const verdict = ({ problems, fits }: RecipePlan): readonly string[] =>
  fits
    ? [toned("good", "It fits: the run can start.")]
    : [toned("bad", "It cannot run here:"), ...problems.map((problem) => `  ${problemText(problem)}`)]

/** Bytes that stages expect; none of them expects nothing. */
const known = (bytes: number): string => (bytes === 0 ? "an unknown part" : formatBytes(bytes))

/** Memory of the host, and of the device where there is one. */
const memoryLines = ({ memoryBytes, memoryLimitBytes, device }: Preflight.Plan): readonly string[] => {
  const host = `${known(memoryBytes)} of ${formatBytes(memoryLimitBytes)}`
  if (device === undefined) return [`memory: ${host}`]
  const { device: name, bytes, source, shared, neededBytes } = device
  const needed = known(neededBytes)
  if (shared && bytes === undefined) return [`memory: ${host}, which ${name} shares: its tensors take ${needed} of it`]
  const there =
    bytes === undefined
      ? `; how much there is is not known (${source}): --set memory.device=16GiB says it`
      : ` of ${formatBytes(bytes)} (${source})`
  return [`memory: ${host}, of the host`, `device: ${needed}${there}, of ${name}`]
}

/** Stages that are run, and the seconds of those that know theirs. */
export interface StageTimes {
  readonly runs: number
  readonly timed: number
  readonly seconds: number
}

export const stageTimes = (stages: readonly (number | undefined)[]): StageTimes => {
  const timed = stages.filter((seconds) => seconds !== undefined)
  return { runs: stages.length, timed: timed.length, seconds: timed.reduce((sum, seconds) => sum + seconds, 0) }
}

export const describeTimes = ({ runs, timed, seconds }: StageTimes): string =>
  timed === 0 ? "unknown" : `${timed === runs ? "about" : "more than"} ${formatDuration(1000 * seconds)}`

const totalTime = ({ stages }: Preflight.Plan): string => {
  const left = stages.filter(({ finished }) => !finished)
  if (left.length === 0) return "none: every stage is finished"
  return describeTimes(stageTimes(left.map(({ forecast }) => forecast.seconds)))
}

/** What stages tell, each line once: those of several stages with their names. */
const notesOf = ({ stages }: Preflight.Plan): readonly string[] => {
  const places = new Map<string, string[]>()
  for (const { place, forecast } of stages) {
    for (const line of new Set(forecast.lines)) places.set(line, [...(places.get(line) ?? []), place])
  }
  const named = (all: readonly string[]) =>
    all.length > 1 && all.length === stages.length ? "all stages" : all.join(", ")
  return [...places].map(([line, all]) => `  ${named(all)}: ${line}`)
}

/** What the tables of sizes and layers cannot say: what is chosen by measurement. */
const choiceLines = ({ allocated }: LayerPlan): readonly string[] =>
  allocated.map(
    ({ stage, layers }) =>
      `${stage} chooses the quantizers of ${layers.length} of these layers once it has measured: their rows, and the sizes, are by the rules that its choice goes before`
  )

/** The plan as a person reads it: whether it fits and what it takes, then stages, sizes, and layers, all of them with `eachLayer`. */
export const describePlan = (planned: RecipePlan, { eachLayer = false } = {}): string => {
  const { layers, forecast } = planned
  const free = forecast.diskFreeBytes === undefined ? "an unknown number" : formatBytes(forecast.diskFreeBytes)
  return [
    `${planned.name}: model ${planned.model}, seed ${planned.seed}, into ${planned.directory}`,
    "",
    ...verdict(planned),
    ...memoryLines(forecast),
    `disk:   ${known(forecast.diskBytes)} of ${free} free`,
    `time:   ${totalTime(forecast)}`,
    "",
    stageTable(planned),
    ...notesOf(forecast),
    ...(layers === null
      ? []
      : [
          "",
          ...choiceLines(layers),
          sizeTable(layers),
          "",
          renderPlan(layers.layers, { each: eachLayer }),
          "",
          `shapes from ${layers.shapesFrom}${eachLayer ? "" : "; --layers shows each layer"}`
        ])
  ].join("\n")
}
