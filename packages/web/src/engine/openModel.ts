/** A model that is ready to be asked, out of the blobs of its files. */
import { readModelWeights } from "@speedq/exports"
import { provideFiles } from "@speedq/formats/BlobFiles"
import { openModel } from "@speedq/formats/Safetensors"
import { quantizers } from "@speedq/quantizers"
import { makeNativeBackend } from "@speedq/tensors"
import { openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"

/** Where files of the model are, for all that reads them. */
const directory = "model"

/** Threads beyond which the products of a token gain nothing. */
const mostThreads = 8

const gibibyte = 2 ** 30

/** Bytes of one memory: 4 GiB of addresses where the browser gives them, which cost nothing until they are used; phones give less. */
const memoryBytes = (): number => {
  for (let bytes = 4 * gibibyte; bytes > gibibyte / 4; bytes /= 2) {
    try {
      new WebAssembly.Memory({ initial: bytes / 65536, maximum: bytes / 65536, shared: true })
      return bytes
    } catch {
      // Half of it may be there.
    }
  }
  return gibibyte / 4
}

const openBackend = Effect.acquireRelease(
  Effect.promise(() =>
    makeNativeBackend({
      threads: crossOriginIsolated ? Math.min(mostThreads, navigator.hardwareConcurrency) : 1,
      blas: "none",
      memoryBytes: memoryBytes()
    })
  ),
  (backend) => Effect.promise(() => backend.close())
)

/** Opens it for the life of the scope. Fails with what reading models fails with. `int8` is undefined for weights that are no codes. */
export const openBlobs = Effect.fnUntraced(function* (files: Iterable<readonly [name: string, blob: Blob]>) {
  provideFiles(directory, files)
  const read = yield* openModelDirectory(directory)
  const backend = yield* openBackend
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
  return { backend, directory: read, weights: loaded.weights, int8: loaded.int8 }
})
