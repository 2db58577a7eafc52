/** Runs a recipe in a directory with everything that it needs around it. */
import { type Records, type Report, recipeModule, runCommand, runReport, Surroundings, status } from "@speedq/pipeline"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { fittingTable } from "../command/textTable.ts"
import * as Run from "../run/Run.ts"
import type { KnownRecipe } from "./loadRecipe.ts"
import { tellingSurveys } from "./surveyProgress.ts"

export interface RunOptions {
  readonly directory: string
  readonly backend: BackendName
  readonly fresh: boolean
  readonly records: Records
  /** Where its runners meet, if it has any. */
  readonly cluster?: string | undefined
  /** Whether runners on other backends compute, too, what may have other bits. */
  readonly otherBackends?: boolean
  /** Given where runners get files over HTTP. */
  readonly http?: Run.RunSettings["http"]
  /** The command line, for the run's record. */
  readonly command: string
}

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

/** Runs to the end, or continues what the directory holds; `module` is where a recipe in code came from. Interrupted, it saves first. */
export const runRecipe = Effect.fn("runRecipe")(function* (
  recipe: KnownRecipe,
  { records, command, ...options }: RunOptions,
  module?: string
) {
  const path = yield* Path.Path
  yield* Run.start(recipe, { ...options, ...records }).pipe(
    Effect.provideService(Surroundings, {
      [runCommand]: command,
      ...(module === undefined ? {} : { [recipeModule]: module })
    }),
    tellingSurveys
  )
  const run = Option.getOrUndefined(yield* status(options.directory))
  const result: RunResult = {
    directory: options.directory,
    backend: run?.record.surroundings["backend"] ?? options.backend,
    report: path.resolve(options.directory, "report.html"),
    stages: run?.stages.map(({ place, steps, keptBytes }) => ({ place, steps, keptBytes })) ?? [],
    tables: yield* tablesOf(options.directory)
  }
  return result
})

/** Tables of the report that are a run's result. */
export const tablesOf = Effect.fnUntraced(function* (directory: string) {
  const report = Option.getOrUndefined(yield* runReport(directory))
  const sections = [...(report?.front ?? []), ...(report?.chapters ?? []).flatMap((chapter) => chapter.sections)]
  const tables = sections.filter((section) => section._tag === "Table")
  const evaluation = tables.filter(({ title }) => title === "Evaluation").at(-1)
  const exports = tables.filter(({ title }) => title.startsWith("Export"))
  return [...(evaluation ? [evaluation] : []), ...exports]
})

/** The result as a person reads it. */
export const describeRun = ({ tables, report }: RunResult): string =>
  [...tables.flatMap(({ title, columns, rows }) => [title, fittingTable(columns, rows), ""]), `report: ${report}`].join(
    "\n"
  )
