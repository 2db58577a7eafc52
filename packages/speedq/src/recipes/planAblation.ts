/** What an ablation will do and take before it does anything: every variant's plan, stages that they share counted once. */
import { join } from "node:path"
import { distinctStages, formatBytes, type Preflight, problemText, runPlace } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { textTable } from "../command/textTable.ts"
import { toned } from "../command/tones.ts"
import type { LoadedAblation } from "./loadWork.ts"
import {
  describeTimes,
  type PlanChoices,
  planRecipe,
  type RecipePlan,
  type StageTimes,
  stageTimes
} from "./planRecipe.ts"

export interface AblationPlan {
  readonly name: string
  readonly directory: string
  readonly seeds: readonly number[]
  /** Every variant with the first of its seeds; the others take the same. */
  readonly variants: ReadonlyArray<RecipePlan & { readonly variant: string; readonly seeds: readonly number[] }>
  /** Of all seeds, stages in common once a seed. */
  readonly stages: StageTimes
  readonly problems: ReadonlyArray<Preflight.Plan["problems"][number] & { readonly variant: string }>
  readonly fits: boolean
}

const runsOf = ({ runs }: LoadedAblation, variant: string): LoadedAblation["runs"] =>
  runs.filter((run) => run.variant === variant)

/** Plans an ablation for runs below `directory`. Nothing fails: what stands in the way is among the problems. */
export const planAblation = Effect.fn("planAblation")(function* (
  ablation: LoadedAblation,
  directory: string,
  choices: PlanChoices
) {
  const { name, seeds } = ablation
  const variants = yield* Effect.forEach(ablation.variants, ({ name: variant }) => {
    const runs = runsOf(ablation, variant)
    const place = join(directory, runPlace(runs[0]!))
    return Effect.map(planRecipe(runs[0]!.recipe, place, choices), (planned) => ({
      variant,
      seeds: runs.map(({ seed }) => seed),
      ...planned
    }))
  })
  // One seed after the other: only those of one seed are computed once.
  const distinct = new Map(
    variants.flatMap(({ variant, forecast }) =>
      runsOf(ablation, variant).flatMap(({ seed, recipe }) =>
        distinctStages(recipe).map((id, at) => [`${seed} ${id}`, forecast.stages[at]!.forecast.seconds] as const)
      )
    )
  )
  const problems = variants.flatMap(({ variant, problems: own }) => own.map((problem) => ({ variant, ...problem })))
  const planned: AblationPlan = {
    name,
    directory,
    seeds,
    variants,
    stages: stageTimes([...distinct.values()]),
    problems,
    fits: problems.length === 0
  }
  return planned
})

const variantRow = ({ variant, seeds, forecast, layers }: AblationPlan["variants"][number]) => [
  variant,
  seeds.length,
  forecast.stages.map(({ place }) => place).join(", "),
  layers === null ? "" : layers.size.bitsPerParameter.toFixed(3),
  formatBytes(forecast.memoryBytes),
  describeTimes(stageTimes(forecast.stages.map(({ forecast: { seconds } }) => seconds)))
]

/** The plan as a person reads it. `speedq plan` of the base recipe shows its layers. */
export const describeAblationPlan = ({
  name,
  directory,
  seeds,
  variants,
  stages,
  problems,
  fits
}: AblationPlan): string =>
  [
    `${name}: ${variants.length} variants, seeds ${seeds.join(", ")}, into ${directory}`,
    "",
    textTable(["variant", "seeds", "stages", "bits/parameter", "memory", "time of a seed"], variants.map(variantRow)),
    "",
    `stages: ${stages.runs} to run, stages that variants share counted once per seed`,
    `time:   ${describeTimes(stages)}`,
    "",
    ...(fits
      ? [toned("good", "It fits: the run can start.")]
      : [
          toned("bad", "It cannot run here:"),
          ...problems.map(({ variant, ...problem }) => `  ${variant}, ${problemText(problem)}`)
        ])
  ].join("\n")
