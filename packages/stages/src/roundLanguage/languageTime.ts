/** How long rounding without training takes: looks at all weights, and clipping those that have ranges. */
import type { RecipeSettings, Stage } from "@speedq/pipeline"
import { parameterCount } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClippingRanges } from "../artefacts/artefacts.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import { type ChosenMatrix, checkingPiece, clampingPiece, weightsOf } from "../measuring/weightPieces.ts"
import { givenBefore } from "../planning/givenBefore.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"
import { stageTime } from "../planning/stageTime.ts"

interface LanguageWork {
  readonly model: PlannedModel
  /** The decoder's Linears, which are clipped where a search before found ranges, and embedding and head, which are not. */
  readonly linears: readonly ChosenMatrix[]
  readonly embeddings: readonly ChosenMatrix[]
  readonly recipe: RecipeSettings
  readonly place: Stage.PlaceInRecipe
}

/** The time of the stage. */
export const languageTime = Effect.fnUntraced(function* ({ model, linears, embeddings, recipe, place }: LanguageWork) {
  const clipped = givenBefore(place, ClippingRanges) ? linears : []
  const parameters = parameterCount(model.config)
  const measured = yield* measureSpeeds({
    checking: checkingPiece(parameters, model.stored),
    clamping: clipped.length > 0 ? clampingPiece(clipped, model.stored) : undefined
  })
  const work = Option.map(measured, ({ seconds, notes }) => {
    // All must be finite, and those that are rounded must fit their scales.
    const checked = parameters + weightsOf(linears) + weightsOf(embeddings)
    return { seconds: checked * seconds.checking + 2 * weightsOf(clipped) * seconds.clamping, notes }
  })
  const sizes = { checkpointBytes: 0, outputBytes: 4 * weightsOf(clipped) }
  return yield* stageTime(work, { ...sizes, recipe, place, model, steps: 1 })
})
