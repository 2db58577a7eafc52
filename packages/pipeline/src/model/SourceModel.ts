/** The full-precision model that a recipe starts from: config, tokenizer and weights in the backend's memory. */
import { Safetensors } from "@speedq/formats"
import type { Parameters, Tensor } from "@speedq/tensors"
import { type LoadOptions, loadWeights, type ModelDirectory, openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { Compute } from "../compute/Compute.ts"
import { ModelUnreadable } from "../Errors.ts"

export interface SourceModel {
  readonly directory: ModelDirectory
  /** Weights as stored: matrices may be in 16 bits. Frozen; stages make their own copies of what they train. */
  readonly weights: Parameters
}

/** Opens the model of `directory` for the life of the scope. Fails with ModelUnreadable, whatever is wrong. */
export const openSourceModel = Effect.fn("openSourceModel")(function* (path: string, options: LoadOptions = {}) {
  const { backend } = yield* Compute
  const unreadable = (error: { readonly message: string }) =>
    new ModelUnreadable({ directory: path, reason: error.message })
  const directory = yield* openModelDirectory(path).pipe(Effect.mapError(unreadable))
  const weights = yield* Effect.acquireRelease(
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* Safetensors.openModel(path).pipe(Effect.mapError(unreadable))
        return yield* Effect.try({
          try: () => loadWeights(backend, directory.config, file.store, options),
          catch: (error) => unreadable(error instanceof Error ? error : new Error(String(error)))
        })
      })
    ),
    (loaded: { readonly [name: string]: Tensor }) =>
      Effect.sync(() => {
        for (const tensor of Object.values(loaded)) tensor.release()
      })
  )
  return { directory, weights } satisfies SourceModel
})
