/** The cells of an ablation as units of work: a runner computes a whole run, in its directory below the ablation's. */
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { heldElsewhere } from "../directory/heldElsewhere.ts"
import { Records } from "../events/sinks/records.ts"
import { Surroundings } from "../machine/Machine.ts"
import { toJson } from "../recipe/recipeJson.ts"
import { outputOf } from "../run/artefactOf.ts"
import { UnitComputers } from "../units/UnitComputers.ts"
import { unitKind } from "../units/UnitKind.ts"
import { unitsAhead } from "../units/unitsAhead.ts"
import type { Ablation, AblationRun } from "./Ablation.ts"
import { runPlace } from "./runPlace.ts"
import { type Placed, waitsFor } from "./sharedStages.ts"

const Cell = Schema.Struct({ variant: Schema.String, seed: Schema.Int })

export const CellInput = Schema.Struct({
  ...Cell.fields,
  recipe: Schema.Json,
  /** Other cells, whose finished stages may be copied. */
  others: Schema.Array(Cell),
  /** Where relative paths count from. */
  workingDirectory: Schema.String,
  /** What the run's record says besides the machine. */
  surroundings: Schema.Record(Schema.String, Schema.String),
  records: Records
})
export type CellInput = typeof CellInput.Type

/** What a runner gives is in the cell's directory. */
export const cellUnit = unitKind("cell", { input: CellInput, output: Schema.Struct({}) })

const cellOf = ({ variant, seed }: AblationRun) => ({ variant, seed })

interface CellOptions<A> {
  readonly directory: string
  readonly recordsOf: (run: AblationRun) => Records
  /** What is wanted of what a run's last stage gave. */
  readonly resultOf: (output: unknown) => A
}

/**
 * Hands cells out to others, in order, for the life of the scope: one for each runner, and none whose stages another one is computing at
 * that time. Undefined where nobody computes for this process.
 */
export const cellsElsewhere = Effect.fnUntraced(function* <A, E, R>(
  { name, runs }: Ablation<E, R>,
  { directory, recordsOf, resultOf }: CellOptions<A>
) {
  const path = yield* Path.Path
  const surroundings = yield* Surroundings
  const batch = yield* (yield* UnitComputers)?.begin({
    name: "cells-00000000",
    title: `the runs of ${name}`,
    bits: "allowed",
    isTold: true
  }) ?? Effect.succeed(undefined)
  if (batch === undefined) return undefined
  yield* Effect.addFinalizer(() => batch.end)
  const placed = runs.map((run): Placed => ({ run, directory: path.resolve(directory, runPlace(run)) }))
  const ask = (at: number) => {
    const run = runs[at]!
    const unit = {
      name: `${run.variant}/seed-${run.seed}`,
      title: `variant "${run.variant}", seed ${run.seed}`,
      input: {
        ...cellOf(run),
        recipe: toJson(run.recipe),
        others: runs.filter((other) => other !== run).map(cellOf),
        workingDirectory: process.cwd(),
        surroundings,
        records: recordsOf(run)
      }
    }
    const take = () =>
      outputOf(run.recipe, placed[at]!.directory).pipe(
        Effect.map((output) => ({ result: resultOf(output) })),
        Effect.provide(heldElsewhere(placed[at]!.directory)),
        Effect.scoped
      )
    return batch.ask(cellUnit, unit, take)
  }
  const services = yield* Effect.context<Path.Path | Effect.Services<ReturnType<typeof waitsFor>>>()
  return yield* unitsAhead({
    batch,
    count: runs.length,
    // A second one would wait for hours behind the first, while another runner may come.
    perRunner: 1,
    ask,
    mayBegin: (at, underWay) =>
      waitsFor(
        placed[at]!,
        underWay.map((other) => placed[other]!)
      ).pipe(
        Effect.map((waits) => !waits),
        Effect.provideContext(services)
      )
  })
})
