/** Features of a frozen tower for stages that measure with them. */
import type { RecipeSettings } from "@speedq/pipeline"
import type { Backend } from "@speedq/tensors"
import type { ModelConfig, Weights } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { keepingOf, notKept, numbersOf, openKeptFeatures, tellSeen } from "../features/keptFeatures.ts"
import { makeVisionFeatures } from "../training/VisionFeatures.ts"

interface Tower {
  readonly backend: Backend
  readonly config: ModelConfig
  readonly weights: Weights
}

/**
 * Found in, and left in, the directory where the recipe keeps features in f32. Where it rounds them to bf16 they are computed and not
 * kept: rounding would change what is measured. `tell` says what came of it.
 */
export const calibrationFeatures = Effect.fn("calibrationFeatures")(function* (
  recipe: Pick<RecipeSettings, "features">,
  tower: Tower
) {
  if (numbersOf(recipe) !== "f32") {
    return { vision: makeVisionFeatures({ ...tower, budget: 0, keeping: notKept }), tell: Effect.void }
  }
  const kept = yield* openKeptFeatures(recipe)
  const vision = makeVisionFeatures({ ...tower, budget: 0, keeping: keepingOf(kept, tower) })
  return { vision, tell: tellSeen(kept) }
})
