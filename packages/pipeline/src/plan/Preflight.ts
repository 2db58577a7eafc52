/** Before any work: everything that stands in a run's way, all at once, and what the run will take. */
import { nearestExisting } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { PreflightFailed, type PreflightProblem } from "../Errors.ts"
import { Machine } from "../machine/Machine.ts"
import { TensorMemory } from "../machine/TensorMemory.ts"
import { type AnyRecipe, labelled } from "../recipe/recipeValue.ts"
import { failingWithRaised } from "../run/raised.ts"
import { arithmeticOf, type Meaning, StageArithmetic, unknownStages } from "../run/StageArithmetic.ts"
import type { BeforeWork } from "../stage/contract.ts"
import * as Forecast from "../stage/Forecast.ts"
import { formatBytes } from "../text/format.ts"
import { memoryLimit } from "./memoryLimit.ts"
import { placed } from "./placedMemory.ts"
import { nothing, type Present, presentIn } from "./present.ts"

/** What a recipe will take on this machine. */
export interface Plan {
  readonly stages: ReadonlyArray<
    Present & {
      /** As its directory is called: `08-qat`. */
      readonly place: string
      readonly forecast: Forecast.Forecast
    }
  >
  readonly problems: ReadonlyArray<PreflightProblem>
  /** Of the stage that needs most. */
  readonly memoryBytes: number
  readonly memoryLimitBytes: number
  /** The device that tensors lie on, and what the stage that needs most of it needs; absent where they are in the process. */
  readonly device?: TensorMemory & { readonly neededBytes: number }
  /** Still to be written at the worst moment: results of the stages that are not finished, and what the largest of them needs besides: three states and its scratch files. */
  readonly diskBytes: number
  readonly diskFreeBytes: number | undefined
  /** Sum of the stages that are not finished and know theirs. */
  readonly seconds: number
}

/** Asks every stage and the machine, each forecast made `known`; nothing fails here, problems are listed. */
const look = <E, R>(
  recipe: AnyRecipe<E, R>,
  directory: string,
  known: (forecast: Forecast.Forecast) => Effect.Effect<Forecast.Forecast, never, BeforeWork>
) =>
  Effect.gen(function* () {
    const machine = yield* Machine
    const device = yield* yield* TensorMemory
    const all = labelled(recipe.stages)
    const present = yield* presentIn(recipe, directory)
    const stages = yield* Effect.forEach(
      all,
      Effect.fnUntraced(function* ({ stage, label, place }) {
        const meaning = yield* arithmeticOf(recipe.settings, label)
        const { within } = yield* StageArithmetic
        const told = forecastOf(stage.forecast(recipe.settings, { label, stages: all, directory })).pipe(
          Effect.flatMap(known),
          within(meaning.refused ? "f32" : meaning.arithmetic)
        )
        const forecast = placed(inArithmetic(yield* told, meaning), device)
        return { place, forecast, ...(present.get(place) ?? nothing) }
      })
    )
    const forecasts = stages.map(({ forecast }) => forecast)
    const memoryLimitBytes = yield* memoryLimit(recipe.settings)
    const memoryBytes = Math.max(0, ...forecasts.map((forecast) => forecast.memoryBytes))
    const unfinished = stages.filter(({ finished }) => !finished)
    const besides = Math.max(
      0,
      ...unfinished.map(({ forecast }) => 3 * forecast.checkpointBytes + forecast.scratchBytes)
    )
    const results = unfinished.reduce((sum, { forecast, bytes }) => sum + forecast.outputBytes - bytes, 0)
    const diskBytes = Math.max(0, results + besides)
    const free = yield* machine.diskFreeBytes(nearestExisting(directory))
    const labels = all.map(({ label }) => label)
    const problems = together(stages.length, [
      ...unknownStages(recipe.settings, labels).map((name) => ({
        stage: "all",
        issue: `arithmetic names a stage "${name}", which this recipe does not have`,
        fix: `name one of ${labels.join(", ")}`
      })),
      ...stages.flatMap(({ place, forecast }) => forecast.obstacles.map((obstacle) => ({ stage: place, ...obstacle }))),
      ...stages.filter(({ forecast }) => forecast.memoryBytes > memoryLimitBytes).map(tooLarge(memoryLimitBytes)),
      ...(device === undefined ? [] : stages.flatMap(deviceProblems(device))),
      ...diskProblems(diskBytes, free, directory)
    ])
    const seconds = unfinished.reduce((sum, { forecast }) => sum + (forecast.seconds ?? 0), 0)
    const neededBytes = Math.max(0, ...forecasts.map(({ deviceBytes = 0 }) => deviceBytes))
    const result: Plan = {
      ...{ stages, problems, memoryBytes, memoryLimitBytes },
      ...(device === undefined ? {} : { device: { ...device, neededBytes } }),
      ...{ diskBytes, diskFreeBytes: free, seconds }
    }
    return result
  })

/**
 * Everything that can be told before any work. `directory` is the run's, if there is one yet. Stages may take seconds to find their time;
 * without `time`, those that must find it leave it unknown.
 */
export const plan = <E, R>(
  recipe: AnyRecipe<E, R>,
  directory: string,
  { time = true }: { readonly time?: boolean | undefined } = {}
) => look(recipe, directory, time ? Forecast.timed : Effect.succeed)

/** Fails with PreflightFailed when there is any problem. Times that must be found first stay unknown. */
export const check = <E, R>(recipe: AnyRecipe<E, R>, directory: string) =>
  Effect.flatMap(look(recipe, directory, Effect.succeed), (planned) =>
    planned.problems.length > 0 ? new PreflightFailed({ problems: planned.problems }) : Effect.succeed(planned)
  )

/** The forecast with what is to be said of the stage's arithmetic. */
const inArithmetic = (
  { obstacles, lines, ...forecast }: Forecast.Forecast,
  { arithmetic, detail, refused = false }: Meaning
): Forecast.Forecast => ({
  ...forecast,
  obstacles: [...obstacles, ...(refused ? [{ issue: detail ?? "" }] : [])],
  lines: [...lines, ...(refused || detail === undefined ? [] : [`products in ${arithmetic}: ${detail}`])]
})

/** A stage that cannot even look at its files has an obstacle, not a crash. */
const forecastOf = <E, R>(forecast: Effect.Effect<Forecast.Forecast, E, R>) =>
  Effect.catch(failingWithRaised(forecast), (error) =>
    Effect.succeed(Forecast.make({ obstacles: [Forecast.obstacleOf(error)] }))
  )

/** Problems that several stages share, told once. */
const together = (count: number, problems: ReadonlyArray<PreflightProblem>): ReadonlyArray<PreflightProblem> => {
  const shared = new Map<string, { readonly obstacle: Forecast.Obstacle; readonly stages: string[] }>()
  for (const { stage, ...obstacle } of problems) {
    const key = JSON.stringify([obstacle.issue, obstacle.fix])
    const before = shared.get(key)
    if (before === undefined) shared.set(key, { obstacle, stages: [stage] })
    else before.stages.push(stage)
  }
  return [...shared.values()].map(({ obstacle, stages }) => ({
    stage: stages.length > 1 && stages.length === count ? "all" : stages.join(", "),
    ...obstacle
  }))
}

const tooLarge =
  (limit: number) =>
  ({ place, forecast }: Plan["stages"][number]): PreflightProblem => ({
    stage: place,
    issue: `it needs ${formatBytes(forecast.memoryBytes)} of memory, but only ${formatBytes(limit)} is available`,
    fix: "use smaller batches or shorter sequences, free memory, or raise memory.limit"
  })

/** What keeps a stage's tensors off the device: all of them together, or the largest alone. */
const deviceProblems =
  ({ device, bytes, source, largestBytes }: TensorMemory) =>
  ({ place, forecast }: Plan["stages"][number]): ReadonlyArray<PreflightProblem> => {
    const { deviceBytes = 0, largest } = forecast
    const smaller = "use smaller batches or shorter sequences"
    const tooMany: PreflightProblem = {
      stage: place,
      issue: `its tensors need ${formatBytes(deviceBytes)} of the memory of ${device}, but only ${formatBytes(bytes ?? 0)} is available (${source})`,
      fix: `${smaller}, free memory of the device, correct memory.device, or take --backend native`
    }
    const tooLong: PreflightProblem = {
      stage: place,
      issue: `${largest?.tensor} takes ${formatBytes(largest?.bytes ?? 0)}, but ${device} binds at most ${formatBytes(largestBytes)} at once`,
      fix: `${smaller} where it is of those, or take --backend native`
    }
    return [
      ...(bytes !== undefined && deviceBytes > bytes ? [tooMany] : []),
      ...(largest !== undefined && largest.bytes > largestBytes ? [tooLong] : [])
    ]
  }

const diskProblems = (needed: number, free: number | undefined, directory: string): ReadonlyArray<PreflightProblem> =>
  free === undefined || needed <= free
    ? []
    : [
        {
          stage: "all",
          issue: `results and saved states need ${formatBytes(needed)} more in ${directory}, but only ${formatBytes(free)} is free`,
          fix: "free some space or choose a directory on another disk"
        }
      ]
