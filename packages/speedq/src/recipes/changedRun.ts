/** What runs would lose their use of because they are run again with other settings: told before anything is done. */
import { isDeepStrictEqual } from "node:util"
import { formatBytes, formatCount, presentIn, Recipe, readRunRecord, status, supersededName } from "@speedq/pipeline"
import { groupBy } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { canAsk, confirm } from "../command/confirm.ts"
import { remark } from "../command/output.ts"
import { textTable } from "../command/textTable.ts"
import { toned } from "../command/tones.ts"
import { NotConfirmed } from "../Errors.ts"

/** A recipe, and where it is run. */
interface Run<E, R> {
  readonly recipe: Recipe.AnyRecipe<E, R>
  readonly directory: string
}

/** Stages of the run that these settings make anew, and why; none where the recipe is what it was. */
const supersededBy = Effect.fnUntraced(function* <E, R>({ recipe, directory }: Run<E, R>) {
  // A directory that cannot be read is told of when it is opened.
  const record = Option.getOrUndefined(yield* Effect.orElseSucceed(readRunRecord(directory), () => Option.none()))
  if (record === undefined || isDeepStrictEqual(record.recipe, Recipe.toJson(recipe))) return []
  const present = yield* presentIn(recipe, directory)
  const stages = Option.getOrUndefined(yield* status(directory))?.stages ?? []
  return stages.flatMap(({ place, savedStep, steps, keptBytes }) => {
    const why = present.get(place)?.stale
    return why === undefined || (savedStep === 0 && keptBytes === 0)
      ? []
      : [{ place, done: `${savedStep}/${steps}`, bytes: keptBytes, why }]
  })
})

type Superseded = Effect.Success<ReturnType<typeof supersededBy>>[number]

/** A row for each stage that is made anew for one reason, in however many runs. */
const rowsOf = (stages: readonly Superseded[], isOneRun: boolean): readonly (readonly string[])[] => {
  const groups = groupBy(stages, ({ place, why }) => JSON.stringify([place, why]))
  return Object.values(groups).map((group) => {
    const { place, done, why } = group[0]
    const bytes = group.reduce((sum, stage) => sum + stage.bytes, 0)
    return [place, isOneRun ? done : formatCount(group.length, "run"), bytes === 0 ? "" : formatBytes(bytes), why]
  })
}

/**
 * Tells what other settings would have computed again in `runs`, which are those of `directory`, and asks whether that is meant where
 * somebody can be asked. Fails with NotConfirmed where it is not.
 */
export const confirmChanges = Effect.fn("confirmChanges")(function* <E, R>(
  directory: string,
  runs: readonly Run<E, R>[]
) {
  const stages = (yield* Effect.forEach(runs, supersededBy)).flat()
  if (stages.length === 0) return
  const isOneRun = runs.length === 1 && runs[0]?.directory === directory
  const instead = isOneRun
    ? `They move to ${directory}/${supersededName}. "speedq run ${directory}" continues with the settings that the run has; --out DIR begins another run.`
    : `They move to ${supersededName} in their runs; --out DIR begins another ablation.`
  const columns = ["stage", isOneRun ? "done" : "in", "size", "because"]
  yield* remark(
    [
      toned("careful", `${directory} holds results of other settings, which are computed again:`),
      textTable(columns, rowsOf(stages, isOneRun)),
      instead
    ].join("\n")
  )
  if (canAsk() && !(yield* confirm("Compute them again?"))) return yield* new NotConfirmed({ directory })
})
