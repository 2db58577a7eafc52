/** Opens the full-precision model that a recipe starts from: config, tokenizer and weights in the backend's memory. */
import { releaseParameters, type SourceModel } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import type { Parameters } from "@speedq/tensors"
import { type LoadOptions, loadWeights, openModelDirectory, resolveCheckpoint } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { Compute } from "../compute/Compute.ts"
import { ModelUnreadable } from "../Errors.ts"
import { refusePacked } from "./refusePacked.ts"
import { owned } from "./stageMemory.ts"

/** Opens the model of `directory` for the life of the scope. Fails with ModelUnreadable, whatever is wrong. */
export const openSourceModel = Effect.fn("openSourceModel")(function* (path: string, options: LoadOptions = {}) {
  const { backend } = yield* Compute
  const unreadable = (error: { readonly message: string }) =>
    new ModelUnreadable({ directory: path, reason: error.message })
  const directory = yield* Effect.mapError(openModelDirectory(path), unreadable)
  const { weights, stored } = yield* owned(
    Effect.scoped(
      Effect.gen(function* () {
        const { store } = yield* Effect.mapError(Safetensors.openModel(path), unreadable)
        const loaded = yield* Effect.try({
          try: () => {
            refusePacked(store)
            return loadWeights(backend, directory.config, store, options)
          },
          catch: (error) => unreadable(error instanceof Error ? error : new Error(String(error)))
        })
        const { pieces } = resolveCheckpoint(directory.config, store)
        return { weights: loaded as Parameters, stored: pieces }
      })
    ),
    (opened) => releaseParameters(opened.weights)
  )
  return { directory, weights, stored } satisfies SourceModel
})
