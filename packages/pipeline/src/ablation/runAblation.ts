/** Runs every variant of an ablation with every seed, each in a directory of its own below one, and compares what they score. */
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { OtherRuns } from "../checkpoints/Checkpoints.ts"
import { RunDirectory } from "../directory/RunDirectory.ts"
import { RecipeInvalid } from "../Errors.ts"
import type { Records } from "../events/sinks/records.ts"
import { whileDoing } from "../files/storage.ts"
import { markdownTable } from "../report/markdown.ts"
import type { Table } from "../report/Report.ts"
import { renderReport } from "../report/renderReport.ts"
import { run } from "../run/runRecipe.ts"
import { whenUnlocked } from "../run/whenUnlocked.ts"
import { UnitComputers } from "../units/UnitComputers.ts"
import type { Ablation, AblationRun } from "./Ablation.ts"
import { cellsElsewhere } from "./cells.ts"
import { type Comparison, compare } from "./comparison.ts"
import type { Measure, Scored } from "./measures.ts"
import { runPlace } from "./runPlace.ts"
import { timeOfRun, timesByKey } from "./stageTimes.ts"

/** What a variant gave with each of its seeds. */
export interface VariantResults<Result> {
  readonly variant: string
  readonly results: readonly Result[]
}

/** What the runs of an ablation are compared by. */
export interface Judgement<Result> {
  /** The result of a run, from what its last stage gave; undefined where that stage gives none. */
  readonly resultOf: (output: unknown) => Result | undefined
  /** The numbers to compare, named after the first run's result. */
  readonly measuresOf: (result: Result) => readonly Measure<Result>[]
  /** Tables beside the comparison. */
  readonly tablesOf: (variants: readonly VariantResults<Result>[]) => readonly (typeof Table.Type)[]
  /** Kinds of stages that judge: their time is not that of a method. */
  readonly judges: readonly string[]
  /** What a variant without a result has to do: "its last stage must be evaluate". */
  readonly otherwise: string
}

interface AblationOptions<Result, E = never, R = never> {
  readonly directory: string
  /** Begins anew: what earlier runs left in their directories is removed. */
  readonly fresh?: boolean
  readonly judgement: Judgement<Result>
  /** Sinks for the events of each run. */
  readonly sinks: (run: AblationRun) => Layer.Layer<never, E, R>
  /** Where the events of a run go that another process computes. */
  readonly recordsOf?: (run: AblationRun) => Records
  /** Called after each run. */
  readonly onRun?: (done: number, runs: number) => Effect.Effect<void>
}

interface AblationResult<Result> {
  readonly scored: readonly Scored<Result>[]
  readonly comparison: Comparison
  readonly report: string
}

const nobody = Effect.succeed(undefined)

/**
 * Runs an ablation, or continues it. A stage that several variants have in common is computed once a seed. Where other processes compute
 * for this one, they compute whole runs; what they cannot is computed here. Fails with what a run fails with, and with RecipeInvalid for
 * a variant without a result.
 */
export const runAblation = Effect.fn("runAblation")(function* <Result, E, R, E2, R2>(
  ablation: Ablation<E, R>,
  options: AblationOptions<Result, E2, R2>
) {
  const { name, variants, seeds, runs } = ablation
  const { directory, fresh = false, judgement, sinks, recordsOf = () => ({}), onRun = () => Effect.void } = options
  const path = yield* Path.Path
  const places = runs.map((each) => path.resolve(directory, runPlace(each)))
  // All of them before the first run, which would copy stages from those that are still there.
  if (fresh) yield* Effect.forEach(places, (place) => Effect.scoped(Layer.build(RunDirectory.layer(place, { fresh }))))
  const runHere = (at: number) =>
    run(runs[at]!.recipe).pipe(
      Effect.provide(sinks(runs[at]!)),
      Effect.provide(RunDirectory.layer(places[at]!)),
      Effect.provideService(
        OtherRuns,
        places.filter((place) => place !== places[at])
      ),
      // Whole runs are what others compute.
      Effect.provideService(UnitComputers, undefined)
    )
  const judged: Omit<Scored<Result>, "milliseconds">[] = []
  yield* Effect.gen(function* () {
    const { resultOf } = judgement
    const elsewhere = yield* cellsElsewhere(ablation, { directory, recordsOf, resultOf })
    for (const [at, { variant, seed }] of runs.entries()) {
      const found = yield* elsewhere?.resultOf(at) ?? nobody
      const here = elsewhere === undefined ? runHere(at) : whenUnlocked(runHere(at))
      const result = found === undefined ? resultOf(yield* here) : found.result
      yield* elsewhere?.doneHere(at) ?? nobody
      if (result === undefined) {
        const problems = [{ path: `variant "${variant}"`, issue: judgement.otherwise }]
        return yield* new RecipeInvalid({ problems })
      }
      judged.push({ variant, seed, result })
      yield* onRun(at + 1, runs.length)
    }
  }).pipe(Effect.scoped)
  const times = yield* timesByKey(places)
  const scored = yield* Effect.forEach(judged, (each, at) =>
    Effect.map(
      timeOfRun(runs[at]!.recipe, places[at]!, times, judgement.judges),
      (milliseconds): Scored<Result> => ({ ...each, milliseconds })
    )
  )
  const measures = scored[0] === undefined ? [] : judgement.measuresOf(scored[0].result)
  const compared = compare(name, variants, scored, measures)
  const others = judgement.tablesOf(
    variants.map((variant) => ({
      variant: variant.name,
      results: scored.flatMap((each) => (each.variant === variant.name ? [each.result] : []))
    }))
  )
  const comparison: Comparison = { ...compared, tables: [...compared.tables, ...others] }
  const { tables, separation } = comparison
  const write = (file: string, text: string) =>
    whileDoing(
      "write the comparison",
      path.join(directory, file)
    )(AtomicFile.writeWhole(path.join(directory, file), new TextEncoder().encode(text)))
  const found = { runs: scored, tables, separation: separation.paragraphs }
  yield* write("ablation.json", `${JSON.stringify(found, null, 2)}\n`)
  yield* write("ablation.md", `${[...tables.map(markdownTable), ...separation.paragraphs].join("\n\n")}\n`)
  const subtitle = `${variants.length} variants, seeds ${seeds.join(", ")}`
  yield* write(
    "report.html",
    renderReport({
      title: name,
      subtitle,
      chapters: [{ title: "Comparison", sections: [...tables, separation] }]
    })
  )
  const result: AblationResult<Result> = { scored, comparison, report: path.resolve(directory, "report.html") }
  return result
})
