/** A model directory as the source of an export. */
import { Safetensors } from "@speedq/formats"
import type { Backend } from "@speedq/tensors"
import { loadWeights, modelTensors, openModelDirectory, resolveNames } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { SourceModel } from "../../src/index.ts"

/** The nano model. */
export const nano = new URL("../../../../data/nano/model", import.meta.url).pathname

/** Its weights are the caller's. */
export const openSource = Effect.fnUntraced(function* (backend: Backend, from: string) {
  const directory = yield* openModelDirectory(from)
  const { store } = yield* Safetensors.openModel(from)
  const weights = loadWeights(backend, directory.config, store)
  const { pieces: stored } = resolveNames(modelTensors(directory.config).keys(), store.tensors.keys())
  return { directory, weights, stored } satisfies SourceModel
})
