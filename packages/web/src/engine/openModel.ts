/** A model that is ready to be asked, out of the blobs of its files. */
import { readModelWeights } from "@speedq/exports"
import { provideFiles } from "@speedq/formats/BlobFiles"
import { openModel } from "@speedq/formats/Safetensors"
import { quantizers } from "@speedq/quantizers"
import { openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { Computer } from "./messages.ts"
import { openBackend } from "./openBackend.ts"

/** Where files of the model are, for all that reads them. */
const directory = "model"

/** Opens it for the life of the scope. Fails with what reading models fails with. `int8` is undefined for weights that are no codes. */
export const openBlobs = Effect.fnUntraced(function* (
  files: Iterable<readonly [name: string, blob: Blob]>,
  computer: Computer
) {
  provideFiles(directory, files)
  const read = yield* openModelDirectory(directory)
  const { backend, place } = yield* openBackend(computer)
  const loaded = yield* Effect.acquireRelease(
    Effect.scoped(
      Effect.gen(function* () {
        const { store } = yield* openModel(directory)
        return yield* Effect.try({
          try: () => readModelWeights(backend, read.config, store, quantizers),
          catch: (error) => error as Error
        })
      })
    ),
    ({ release }) => Effect.sync(release)
  )
  return { backend, place, directory: read, weights: loaded.weights, int8: loaded.int8 }
})
