/** A model of a directory to be judged, and what tells its answers from any other's. */
import { Recipe } from "@speedq/pipeline"
import { type Activations, kernelSetVersion } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { Compute } from "../compute/Compute.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { openAnsweringModel } from "./answeringModel.ts"
import { modelAnswerer } from "./modelAnswerer.ts"

/** What tells the numbers of a model from any other's: its weights, the version of the kernels, and how they compute. */
const computedAs = (identity: string, arithmetic: string, activations: Activations): string => {
  const means = [arithmetic, ...(activations === "f32" ? [] : [`${activations} activations`])]
  return `${identity} by kernels ${kernelSetVersion} in ${means.join(" with ")}`
}

/** Answers as `evaluate` asks, for the life of the scope. Of gigabytes of weights, samples of their bytes tell them apart. */
export const openJudgedModel = Effect.fn("openJudgedModel")(function* (
  directory: string,
  { verify, activations }: { readonly verify: boolean; readonly activations: Activations }
) {
  const answering = yield* openAnsweringModel(directory, { verify, activations })
  const identity = yield* fingerprintOf(Recipe.make({ name: "model", model: directory }).settings, {})
  const { arithmetic } = (yield* Compute).backend
  return modelAnswerer(answering, computedAs(identity, arithmetic, activations))
})
