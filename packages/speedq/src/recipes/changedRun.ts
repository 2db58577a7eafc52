/** What a run would lose its use of because it is run again with other settings: told before anything is done. */
import { isDeepStrictEqual } from "node:util"
import { formatBytes, presentIn, Recipe, readRunRecord, status, supersededName } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { canAsk, confirm } from "../command/confirm.ts"
import { remark } from "../command/output.ts"
import { textTable } from "../command/textTable.ts"
import { NotConfirmed } from "../Errors.ts"

/** Stages of the run in `directory` that these settings make anew, and why; none where the recipe is what it was. */
const supersededBy = Effect.fnUntraced(function* <E, R>(recipe: Recipe.AnyRecipe<E, R>, directory: string) {
  // A directory that cannot be read is told of when it is opened.
  const record = Option.getOrUndefined(yield* Effect.orElseSucceed(readRunRecord(directory), () => Option.none()))
  if (record === undefined || isDeepStrictEqual(record.recipe, Recipe.toJson(recipe))) return []
  const present = yield* presentIn(recipe, directory)
  const stages = Option.getOrUndefined(yield* status(directory))?.stages ?? []
  return stages.flatMap((stage) => {
    const why = present.get(stage.place)?.stale
    return why === undefined || (stage.savedStep === 0 && stage.keptBytes === 0) ? [] : [{ ...stage, why }]
  })
})

/**
 * Tells what other settings would have computed again, and asks whether that is meant where somebody can be asked. Fails with
 * NotConfirmed where it is not.
 */
export const confirmChanges = Effect.fn("confirmChanges")(function* <E, R>(
  recipe: Recipe.AnyRecipe<E, R>,
  directory: string
) {
  const stages = yield* supersededBy(recipe, directory)
  if (stages.length === 0) return
  const rows = stages.map(({ place, savedStep, steps, keptBytes, why }) => [
    place,
    `${savedStep}/${steps}`,
    keptBytes === 0 ? "" : formatBytes(keptBytes),
    why
  ])
  yield* remark(
    [
      `${directory} holds results of other settings, which are computed again:`,
      textTable(["stage", "done", "size", "because"], rows),
      `They move to ${directory}/${supersededName}. "speedq run ${directory}" continues with the settings that the run has; --out DIR begins another run.`
    ].join("\n")
  )
  if (canAsk() && !(yield* confirm("Compute them again?"))) return yield* new NotConfirmed({ directory })
})
