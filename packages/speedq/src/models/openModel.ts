/** A model to be judged, and what tells its weights from any other's. */
import { Recipe } from "@speedq/pipeline"
import { fingerprintOf, openAnsweringModel } from "@speedq/stages"
import type { Activations } from "@speedq/tensors"
import * as Effect from "effect/Effect"

/** `identity` is a digest of the directory's files; gigabytes of weights count by samples of their bytes. */
export const openModel = Effect.fn("openModel")(function* (
  directory: string,
  options: { readonly verify: boolean; readonly activations: Activations }
) {
  const answering = yield* openAnsweringModel(directory, options)
  const identity = yield* fingerprintOf(Recipe.make({ name: "model", model: directory }).settings, {})
  return { answering, identity }
})
