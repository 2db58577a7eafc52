/**
 * Opens any model directory for asking: a checkpoint of the hub in either layout, or of PyTorch pickles, a fake-quant export, a packed container, or
 * what the reference wrote.
 */
import { readPackedModel, verifyExport } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import { isForeign, isPackedContainer } from "@speedq/quantizers"
import { loadWeights, openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { Compute } from "../compute/Compute.ts"
import { modelUnreadable } from "../Errors.ts"
import { Extensions } from "../extensions/Extensions.ts"
import { openReferenceModel } from "../reference/openReferenceModel.ts"
import { detailsDirectory } from "../reference/QuantDetails.ts"
import { checkpointFiles } from "./checkpointFiles.ts"
import { type OpenedModel, packedModel, wholeModel } from "./OpenedModel.ts"
import { openSourceModel } from "./SourceModel.ts"
import { owned } from "./stageMemory.ts"

/** Whether the checkpoint of a directory is PyTorch pickles; one that cannot be looked at is met again when it is opened. */
const isPickled = (path: string): boolean => {
  try {
    const { kind, files } = checkpointFiles(path)
    return kind === "torch" && files.length > 0
  } catch {
    return false
  }
}

/**
 * Opens the model of a directory for the life of the scope. Fails with ModelUnreadable, whatever is wrong with it; with
 * QuantizerMissing or QuantizerVersionDiffers where only a quantizer is wanting. `verify` reads every file of an export first and
 * compares it with its digest: fails with ExportDamaged, with ExportUnverifiable where there are no digests, with FileFailed.
 *
 * @example openAnsweringModel("runs/mine/model/packed", { verify: true })
 */
export const openAnsweringModel = Effect.fn("openAnsweringModel")(function* (
  path: string,
  { verify = false }: { readonly verify?: boolean } = {}
) {
  if (verify) yield* verifyExport(path)
  if (detailsDirectory(path) !== undefined) return (yield* openReferenceModel(path)) as OpenedModel
  const { backend } = yield* Compute
  if (isPickled(path)) {
    const { directory, weights } = yield* openSourceModel(path)
    return { backend, directory, ...wholeModel(weights) } satisfies OpenedModel as OpenedModel
  }
  const known = (yield* Extensions).quantizers
  const unreadable = modelUnreadable(path)
  const directory = yield* Effect.mapError(openModelDirectory(path), unreadable)
  const { config } = directory
  const loaded = yield* owned(
    Effect.scoped(
      Effect.gen(function* () {
        const { store } = yield* Effect.mapError(Safetensors.openModel(path), unreadable)
        return yield* Effect.try({
          try: () =>
            isPackedContainer(store)
              ? packedModel(readPackedModel(backend, config, store, known))
              : wholeModel(loadWeights(backend, config, store)),
          catch: (error) => (isForeign(error) ? error : unreadable(error))
        })
      })
    ),
    ({ release }) => release()
  )
  const opened: OpenedModel = { backend, directory, ...loaded }
  return opened
})
