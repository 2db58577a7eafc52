/** Runs a recipe in a directory with everything that it needs around it. */
import { Recipe, type Report, RunDirectory, runReport, Sinks, Surroundings, status } from "@speedq/pipeline"
import { Compute, SampleWorkers } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { fittingTable } from "../command/textTable.ts"
import type { loadRecipe } from "./loadRecipe.ts"

export interface RunOptions {
  readonly directory: string
  readonly backend: string
  readonly fresh: boolean
  /** Directory for TensorBoard's event files. */
  readonly tensorBoard: string | undefined
}

type Loaded = Effect.Success<ReturnType<typeof loadRecipe>>

/** What a finished run has to show. */
export interface RunResult {
  readonly directory: string
  readonly backend: string
  readonly report: string
  readonly stages: ReadonlyArray<{
    readonly place: string
    readonly steps: number | undefined
    readonly keptBytes: number
  }>
  /** The last evaluation and every export, as the report has them. */
  readonly tables: ReadonlyArray<typeof Report.Table.Type>
}

/** The backend, within the recipe's limit of memory. */
export const computeFor = ({ settings }: Recipe.AnyRecipe, backend: string) => {
  const limit = settings.memory?.limit
  return Compute.layer({ backend, memoryLimit: limit === undefined ? undefined : Number(limit) })
}

/** Runs to the end, or continues what the directory holds. Interrupted, it saves first. */
export const runRecipe = Effect.fn("runRecipe")(function* (recipe: Loaded, options: RunOptions) {
  const path = yield* Path.Path
  const backend = yield* Effect.gen(function* () {
    const { backend } = yield* Compute
    yield* Recipe.run(recipe).pipe(Effect.provideService(Surroundings, { backend: backend.name }))
    return backend.name
  }).pipe(
    Effect.scoped,
    Effect.provide(options.tensorBoard === undefined ? Layer.empty : Sinks.tensorBoard(options.tensorBoard)),
    Effect.provide(Sinks.terminal()),
    Effect.provide(
      Layer.mergeAll(
        RunDirectory.layer(options.directory, { fresh: options.fresh }),
        SampleWorkers.layer(),
        computeFor(recipe, options.backend)
      )
    )
  )
  const run = Option.getOrUndefined(yield* status(options.directory))
  const result: RunResult = {
    directory: options.directory,
    backend,
    report: path.resolve(options.directory, "report.html"),
    stages: run?.stages.map(({ place, steps, keptBytes }) => ({ place, steps, keptBytes })) ?? [],
    tables: yield* tablesOf(options.directory)
  }
  return result
})

/** Tables of the report that are a run's result. */
export const tablesOf = Effect.fnUntraced(function* (directory: string) {
  const report = Option.getOrUndefined(yield* runReport(directory))
  const tables = report?.chapters.flatMap(({ sections }) =>
    sections.flatMap((section) => (section._tag === "Table" ? [section] : []))
  )
  const evaluation = tables?.filter(({ title }) => title === "Evaluation").at(-1)
  const exports = tables?.filter(({ title }) => title.startsWith("Export")) ?? []
  return [...(evaluation ? [evaluation] : []), ...exports]
})

/** The result as a person reads it. */
export const describeRun = ({ tables, report }: RunResult): string =>
  [...tables.flatMap(({ title, columns, rows }) => [title, fittingTable(columns, rows), ""]), `report: ${report}`].join(
    "\n"
  )
