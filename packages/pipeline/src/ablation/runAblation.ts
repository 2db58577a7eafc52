/** Runs every variant of an ablation with every seed, each in a directory of its own below one, and compares what they score. */
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { OtherRuns } from "../Checkpoints.ts"
import { RecipeInvalid } from "../Errors.ts"
import type { Section } from "../Report.ts"
import { RunDirectory } from "../RunDirectory.ts"
import { renderReport } from "../report/renderReport.ts"
import { run } from "../runRecipe.ts"
import type { Evaluation } from "../stages/evaluate/Evaluation.ts"
import { whileDoing } from "../storage.ts"
import type { Ablation, AblationRun } from "./Ablation.ts"
import { comparisonTable, type Scored } from "./comparison.ts"

export interface AblationOptions<E = never, R = never> {
  readonly directory: string
  /** Sinks for the events of each run. */
  readonly sinks: Layer.Layer<never, E, R>
}

export interface AblationResult {
  readonly scored: readonly Scored[]
  readonly table: Section
  readonly report: string
}

/** A variant's name as a directory's. */
const directoryName = (variant: string): string => variant.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")

/** The last evaluation that a run's last stage gave. */
const lastEvaluation = (output: unknown): Evaluation | undefined =>
  (output as { readonly evaluations?: readonly Evaluation[] } | undefined)?.evaluations?.at(-1)

/**
 * Runs an ablation, or continues it. A stage that several variants have in common is computed once a seed. Fails with what a
 * run fails with, and with RecipeInvalid for a variant that does not end with an evaluation.
 */
export const runAblation = Effect.fn("runAblation")(function* <E, R, E2, R2>(
  { name, variants, seeds, runs }: Ablation<E, R>,
  { directory, sinks }: AblationOptions<E2, R2>
) {
  const path = yield* Path.Path
  const placeOf = ({ variant, seed }: Pick<AblationRun, "variant" | "seed">) =>
    path.resolve(directory, directoryName(variant), `seed-${seed}`)
  const places = runs.map(placeOf)
  const scored: Scored[] = []
  for (const each of runs) {
    const { variant, seed, recipe } = each
    const others = places.filter((place) => place !== placeOf(each))
    const output = yield* run(recipe).pipe(
      Effect.provide(sinks),
      Effect.provide(RunDirectory.layer(placeOf(each))),
      Effect.provideService(OtherRuns, others)
    )
    const evaluation = lastEvaluation(output)
    if (evaluation === undefined) {
      const problems = [{ path: `variant "${variant}"`, issue: "its last stage must be evaluate" }]
      return yield* new RecipeInvalid({ problems })
    }
    scored.push({ variant, seed, evaluation })
  }
  const table = comparisonTable(name, variants, scored)
  const write = (file: string, text: string) =>
    whileDoing(
      "write the comparison",
      path.join(directory, file)
    )(AtomicFile.writeWhole(path.join(directory, file), new TextEncoder().encode(text)))
  yield* write("ablation.json", `${JSON.stringify(scored, null, 2)}\n`)
  const subtitle = `${variants.length} variants, seeds ${seeds.join(", ")}`
  yield* write(
    "report.html",
    renderReport({ title: name, subtitle, chapters: [{ title: "Comparison", sections: [table] }] })
  )
  const result: AblationResult = { scored, table, report: path.resolve(directory, "report.html") }
  return result
})
