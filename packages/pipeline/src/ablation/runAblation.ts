/** Runs every variant of an ablation with every seed, each in a directory of its own below one, and compares what they score. */
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { OtherRuns } from "../Checkpoints.ts"
import { RecipeInvalid } from "../Errors.ts"
import { RunDirectory } from "../RunDirectory.ts"
import { renderReport } from "../report/renderReport.ts"
import { run } from "../runRecipe.ts"
import type { Evaluation } from "../stages/evaluate/Evaluation.ts"
import { whileDoing } from "../storage.ts"
import type { Ablation, AblationRun } from "./Ablation.ts"
import { type Comparison, compare, type Scored } from "./comparison.ts"

export interface AblationOptions<E = never, R = never> {
  readonly directory: string
  /** Begins anew: what earlier runs left in their directories is removed. */
  readonly fresh?: boolean
  /** Sinks for the events of each run. */
  readonly sinks: (run: AblationRun) => Layer.Layer<never, E, R>
  /** Called after each run. */
  readonly onRun?: (done: number, runs: number) => Effect.Effect<void>
}

export interface AblationResult {
  readonly scored: readonly Scored[]
  readonly comparison: Comparison
  readonly report: string
}

/** Where below the ablation's directory a run is. */
export const runPlace = ({ variant, seed }: Pick<AblationRun, "variant" | "seed">): string =>
  `${variant.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")}/seed-${seed}`

/** The last evaluation that a run's last stage gave. */
const lastEvaluation = (output: unknown): Evaluation | undefined =>
  (output as { readonly evaluations?: readonly Evaluation[] } | undefined)?.evaluations?.at(-1)

/**
 * Runs an ablation, or continues it. A stage that several variants have in common is computed once a seed. Fails with what a
 * run fails with, and with RecipeInvalid for a variant that does not end with an evaluation.
 */
export const runAblation = Effect.fn("runAblation")(function* <E, R, E2, R2>(
  { name, variants, seeds, runs }: Ablation<E, R>,
  { directory, fresh = false, sinks, onRun = () => Effect.void }: AblationOptions<E2, R2>
) {
  const path = yield* Path.Path
  const places = runs.map((each) => path.resolve(directory, runPlace(each)))
  // All of them before the first run, which would copy stages from those that are still there.
  if (fresh) yield* Effect.forEach(places, (place) => Effect.scoped(Layer.build(RunDirectory.layer(place, { fresh }))))
  const scored: Scored[] = []
  for (const [at, each] of runs.entries()) {
    const { variant, seed, recipe } = each
    const output = yield* run(recipe).pipe(
      Effect.provide(sinks(each)),
      Effect.provide(RunDirectory.layer(places[at]!)),
      Effect.provideService(
        OtherRuns,
        places.filter((place) => place !== places[at])
      )
    )
    const evaluation = lastEvaluation(output)
    if (evaluation === undefined) {
      const problems = [{ path: `variant "${variant}"`, issue: "its last stage must be evaluate" }]
      return yield* new RecipeInvalid({ problems })
    }
    scored.push({ variant, seed, evaluation })
    yield* onRun(at + 1, runs.length)
  }
  const comparison = compare(name, variants, scored)
  const write = (file: string, text: string) =>
    whileDoing(
      "write the comparison",
      path.join(directory, file)
    )(AtomicFile.writeWhole(path.join(directory, file), new TextEncoder().encode(text)))
  yield* write("ablation.json", `${JSON.stringify(scored, null, 2)}\n`)
  const subtitle = `${variants.length} variants, seeds ${seeds.join(", ")}`
  yield* write(
    "report.html",
    renderReport({
      title: name,
      subtitle,
      chapters: [{ title: "Comparison", sections: [comparison.table, comparison.separation] }]
    })
  )
  const result: AblationResult = { scored, comparison, report: path.resolve(directory, "report.html") }
  return result
})
