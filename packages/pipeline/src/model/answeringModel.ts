/** Opens any model directory for asking: a checkpoint of the hub in either layout, a fake-quant export, or a packed container. */
import { Safetensors } from "@speedq/formats"
import { isPackedContainer } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import { type AnsweringModel, loadWeights, openModelDirectory, type Weights, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { KnownQuantizers } from "../artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { ModelUnreadable } from "../Errors.ts"
import { type PackedModel, readPackedModel } from "./packedDirectory.ts"
import { packedWeights } from "./packedWeights.ts"
import { owned, releasePacked, releaseParameters } from "./stageMemory.ts"

export interface OpenedModel extends AnsweringModel {
  /** "packed": weights are unpacked layer by layer while they are used, and take no more memory than in the file. */
  readonly storage: "whole" | "packed"
  /** Bytes of the weights in the backend's memory. */
  readonly bytes: number
}

/** What is loaded of a directory, and how the network reads it. */
interface Loaded {
  readonly storage: OpenedModel["storage"]
  readonly weights: Weights
  readonly bytes: number
  readonly release: () => void
}

const bytesOf = (parameters: Parameters): number =>
  Object.values(parameters).reduce((sum, { storage }) => sum + storage.handle.bytes, 0)

const fromWhole = (parameters: Parameters): Loaded => ({
  storage: "whole",
  weights: weightsFrom(parameters),
  bytes: bytesOf(parameters),
  release: () => releaseParameters(parameters)
})

/** A model whose quantized weights are in packed form. */
export const fromPacked = ({ packed, others }: PackedModel): Loaded => ({
  storage: "packed",
  weights: packedWeights(packed, others),
  bytes: [...packed.values()].reduce((sum, weight) => sum + weight.bytes, bytesOf(others)),
  release: () => {
    releasePacked(packed)
    releaseParameters(others)
  }
})

/** Opens the model of a directory for the life of the scope. Fails with ModelUnreadable, whatever is wrong with it. */
export const openAnsweringModel = Effect.fn("openAnsweringModel")(function* (path: string) {
  const { backend } = yield* Compute
  const known = yield* KnownQuantizers
  const unreadable = (error: unknown) =>
    new ModelUnreadable({ directory: path, reason: error instanceof Error ? error.message : String(error) })
  const directory = yield* Effect.mapError(openModelDirectory(path), unreadable)
  const { config } = directory
  const loaded = yield* owned(
    Effect.scoped(
      Effect.gen(function* () {
        const { store } = yield* Effect.mapError(Safetensors.openModel(path), unreadable)
        return yield* Effect.try({
          try: () =>
            isPackedContainer(store)
              ? fromPacked(readPackedModel(backend, config, store, known))
              : fromWhole(loadWeights(backend, config, store)),
          catch: unreadable
        })
      })
    ),
    ({ release }) => release()
  )
  const { storage, weights, bytes } = loaded
  return { backend, directory, weights, storage, bytes } satisfies OpenedModel
})
