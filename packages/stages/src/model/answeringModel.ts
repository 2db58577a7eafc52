/**
 * Opens any model directory for asking: a checkpoint of the hub in either layout, or of PyTorch pickles, a fake-quant export, a packed container, or
 * what the reference wrote.
 */
import { readModelWeights, verifyExport, wholeModel } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import { isForeign } from "@speedq/quantizers"
import type { Activations } from "@speedq/tensors"
import { openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { Compute } from "../compute/Compute.ts"
import { ModelUnreadable, modelUnreadable } from "../Errors.ts"
import { Extensions } from "../extensions/Extensions.ts"
import { openReferenceModel } from "../reference/openReferenceModel.ts"
import { detailsDirectory } from "../reference/QuantDetails.ts"
import { checkpointFiles } from "./checkpointFiles.ts"
import type { OpenedModel } from "./OpenedModel.ts"
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
 * `activations` int8 rounds what codes of 2 or 4 bits are multiplied by, where rows are few: each token of an answer, not the prompt
 * before it. It is refused for weights that are no codes.
 *
 * @example openAnsweringModel("runs/mine/model/packed", { verify: true })
 */
export const openAnsweringModel = Effect.fn("openAnsweringModel")(function* (
  path: string,
  {
    verify = false,
    activations = "f32"
  }: { readonly verify?: boolean | undefined; readonly activations?: Activations | undefined } = {}
) {
  const opened = yield* openWeights(path, verify)
  if (activations === "f32") return opened
  if (opened.int8 !== undefined) return { ...opened, weights: opened.int8 } satisfies OpenedModel as OpenedModel
  const reason = `its weights are no codes, and int8 activations are for codes; use its packed export, or activations f32`
  return yield* new ModelUnreadable({ directory: path, reason })
})

const openWeights = Effect.fnUntraced(function* (path: string, verify: boolean) {
  if (verify) yield* verifyExport(path)
  if (detailsDirectory(path) !== undefined) {
    const opened: OpenedModel = yield* openReferenceModel(path)
    return opened
  }
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
          try: () => readModelWeights(backend, config, store, known),
          catch: (error) => (isForeign(error) ? error : unreadable(error))
        })
      })
    ),
    ({ release }) => release()
  )
  const opened: OpenedModel = { backend, directory, ...loaded }
  return opened
})
