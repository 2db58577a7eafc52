/** Runs every variant and seed of an ablation with everything that they need around them, and compares them. */
import { join } from "node:path"
import {
  FindsTimes,
  formatDuration,
  monotonicMillis,
  type Records,
  type Report,
  recordSinks,
  runAblation as runAll,
  runPlace,
  Sinks,
  Surroundings
} from "@speedq/pipeline"
import { byLastEvaluation, Compute, Extensions, pluginSurroundings, SampleWorkers } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { remark } from "../command/output.ts"
import { fittingTable } from "../command/textTable.ts"
import { computeFor } from "../run/computeFor.ts"
import { sharedAblation } from "../run/sharedAblation.ts"
import type { LoadedAblation } from "./loadWork.ts"
import type { RunOptions } from "./runRecipe.ts"

/** What a finished ablation has to show. */
export interface AblationOutcome {
  readonly directory: string
  readonly backend: string
  readonly report: string
  readonly seeds: readonly number[]
  readonly runs: ReadonlyArray<{ readonly variant: string; readonly seed: number; readonly directory: string }>
  readonly tables: ReadonlyArray<typeof Report.Table.Type>
  /** What separates, and what does not. */
  readonly separation: readonly string[]
}

/** The runs of an ablation in `directory`, each with its own below it. */
export const placesOf = ({ runs }: LoadedAblation, directory: string) =>
  runs.map((run) => ({ ...run, directory: join(directory, runPlace(run)) }))

/** Runs to the end, or continues what the directory holds; several runs, one backend. */
export const runAblation = Effect.fn("runAblation")(
  function* (ablation: LoadedAblation, { directory, fresh, records, ...options }: RunOptions) {
    const { backend } = yield* Compute
    const startedAt = yield* monotonicMillis
    const onRun = Effect.fnUntraced(function* (done: number, runs: number) {
      const spent = (yield* monotonicMillis) - startedAt
      const left = done === runs ? "" : `, about ${formatDuration((spent / done) * (runs - done))} left`
      yield* remark(`run ${done} of ${runs} is done${left}`)
    })
    const recordsOf = (run: Parameters<typeof runPlace>[0]): Records => ({
      ...records,
      tensorBoard: records.tensorBoard === undefined ? undefined : join(records.tensorBoard, runPlace(run))
    })
    const { comparison, report } = yield* runAll(ablation, {
      directory,
      fresh,
      onRun,
      judgement: byLastEvaluation,
      recordsOf,
      sinks: (run) => Layer.merge(Sinks.terminal(), recordSinks(recordsOf(run), join(directory, runPlace(run))))
    }).pipe(
      sharedAblation(directory, options),
      Effect.provideService(Surroundings, { backend: backend.name, ...pluginSurroundings(yield* Extensions) }),
      Effect.provideService(FindsTimes, (yield* FindsTimes) ?? true)
    )
    const outcome: AblationOutcome = {
      directory,
      backend: backend.name,
      report,
      seeds: ablation.seeds,
      runs: placesOf(ablation, directory).map(({ variant, seed, directory }) => ({ variant, seed, directory })),
      tables: comparison.tables,
      separation: comparison.separation.paragraphs
    }
    return outcome
  },
  (self, { runs }, { backend }) =>
    Effect.provide(Effect.scoped(self), Layer.merge(SampleWorkers.layer(), computeFor(runs[0]!.recipe, backend)))
)

/** A folded table has too many columns for a terminal: the report has it. */
const describeTable = ({ title, columns, rows, note, folded }: typeof Report.Table.Type): readonly string[] =>
  folded === true
    ? [`${title}: ${columns.length - 1} columns, see the report`, ""]
    : [title, fittingTable(columns, rows), ...(note === undefined ? [] : [note]), ""]

/** The outcome as a person reads it. */
export const describeAblation = ({ tables, separation, report }: AblationOutcome): string =>
  [...tables.flatMap(describeTable), ...separation, "", `report: ${report}`].join("\n")
