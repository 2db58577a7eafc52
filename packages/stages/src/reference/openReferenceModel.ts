/** A model quantized by the reference, opened like any other: to be asked, evaluated, or exported again. */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { type DeployedModel, packedModel, releasePacked, releaseParameters } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import type { Parameters } from "@speedq/tensors"
import { loadWeights, type ModelDirectory, modelTensors, openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { Compute } from "../compute/Compute.ts"
import { type ModelUnreadable, modelUnreadable } from "../Errors.ts"
import { firstNames } from "../model/firstNames.ts"
import type { OpenedModel } from "../model/OpenedModel.ts"
import { owned } from "../model/stageMemory.ts"
import { using } from "./detailFiles.ts"
import { loadDetailParameters } from "./loadDetailParameters.ts"
import { detailsDirectory, type ReadDetailsOptions, readQuantDetails } from "./QuantDetails.ts"
import { loadTorchCheckpoint, torchFiles } from "./torchCheckpoint.ts"

interface OpenReferenceOptions extends ReadDetailsOptions {
  /** Directory with config and tokenizer, and with weights that the artefacts do not hold. Default: where the artefacts are. */
  readonly base?: string
  /** The quantized vision tower, `..._vit_qdq.pth`: a state dict of `vision_model`. Default: that of `base`. */
  readonly vision?: string
}

/** The reference's weights, and the model that they make; `deployed` can be exported. */
interface ReferenceModel extends OpenedModel {
  readonly deployed: DeployedModel
}

/** Opens the artefacts in `path`, or in its `quant_details`, for the life of the scope. Fails with ModelUnreadable. */
export const openReferenceModel = Effect.fn("openReferenceModel")(function* (
  path: string,
  options: OpenReferenceOptions = {}
) {
  const { backend } = yield* Compute
  const unreadable = modelUnreadable(path)
  const details = detailsDirectory(path)
  if (details === undefined)
    return yield* unreadable("it holds no not_quantized_weights.pt, nor does its quant_details")
  const beside = [details, dirname(details)].find((directory) => existsSync(join(directory, "config.json")))
  const base = options.base ?? beside
  if (base === undefined) {
    return yield* unreadable("config and tokenizer are not beside the artefacts; name the model they were made of")
  }
  const directory = yield* Effect.mapError(openModelDirectory(base), unreadable)
  const { config } = directory
  const shapes = modelTensors(config)

  const { packed, others, missing } = yield* owned(
    Effect.tryPromise({ try: () => readQuantDetails(backend, config, details, options), catch: unreadable }),
    (read) => {
      releasePacked(read.packed)
      releaseParameters(read.others)
    }
  )
  const { vision } = options
  const tower: Parameters =
    vision === undefined
      ? {}
      : yield* owned(
          Effect.try({
            try: () =>
              using(vision, (file) => loadDetailParameters(backend, file, shapes, { prefix: "vision_model." })),
            catch: unreadable
          }),
          releaseParameters
        )
  const left = new Set(missing.filter((name) => tower[name] === undefined))
  const rest = left.size === 0 ? {} : yield* fromCheckpoint(directory, left, unreadable)
  const model = { packed, others: { ...others, ...tower, ...rest } }
  const deployed: DeployedModel = { ...model, restBits: 16, rest: "bf16", release: () => {} }
  const opened: ReferenceModel = { backend, directory, ...packedModel(model), deployed }
  return opened
})

/** Parameters that only a checkpoint has: the one that the reference wrote beside its artefacts, as pickles, or the original. */
const fromCheckpoint = Effect.fnUntraced(function* (
  { directory: from, config }: ModelDirectory,
  names: ReadonlySet<string>,
  unreadable: (error: unknown) => ModelUnreadable
) {
  const { backend } = yield* Compute
  const reason = `${names.size} parameters are not among the artefacts (${firstNames([...names])}), and ${from} has no checkpoint to take them from`
  const load = Effect.gen(function* () {
    const pickled = yield* Effect.try({
      try: () => loadTorchCheckpoint(backend, torchFiles(from), modelTensors(config), names),
      catch: unreadable
    })
    if (pickled !== undefined) return pickled
    const { store } = yield* Effect.mapError(Safetensors.openModel(from), () => unreadable(new Error(reason)))
    const select = (name: string) => names.has(name)
    return yield* Effect.try({
      try: (): Parameters => loadWeights(backend, config, store, { select }),
      catch: unreadable
    })
  })
  return yield* owned(Effect.scoped(load), releaseParameters)
})
