/**
 * Weights of one part of a model, out of a file or a directory of their own: safetensors, or torch pickles, which are parsed and
 * not executed. Their names are those of the whole model, or lack the part's prefix, as a state dict of that part alone does.
 */
import { statSync } from "node:fs"
import { releaseParameters } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import type { Backend, Parameters } from "@speedq/tensors"
import { loadWeights, type ModelConfig, modelTensors, resolveNames, type Tower, towerOf } from "@speedq/vlm-model"
import { isTorchFile, using } from "../reference/detailFiles.ts"
import { loadDetailParameters } from "../reference/loadDetailParameters.ts"
import { TorchFileInvalid } from "../torch/TorchFileInvalid.ts"
import { checkpointFiles } from "./checkpointFiles.ts"
import { firstNames } from "./firstNames.ts"

const prefixes: { readonly [T in Tower]: string } = {
  vision: "vision_model.",
  projector: "mlp1.",
  language: "language_model."
}

/** The files that a path means: itself, or those of the checkpoint in a directory. Raises what `checkpointFiles` raises. */
export const weightFiles = (path: string): readonly string[] =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ? checkpointFiles(path).files : [path]

/** Parameters of a file that is a checkpoint of the whole model, in either layout; undefined for any other file. */
const asWholeModel = (
  backend: Backend,
  config: ModelConfig,
  file: string,
  select: (name: string) => boolean
): Parameters | undefined => {
  if (isTorchFile(file)) return undefined
  const store = Safetensors.openSync(file)
  try {
    const { missing } = resolveNames(modelTensors(config).keys(), store.tensors.keys())
    return missing.length > 0 ? undefined : loadWeights(backend, config, store, { select })
  } finally {
    store.close()
  }
}

/**
 * The parameters of a tower that a path holds, whatever else it holds. Raises TorchFileInvalid, TensorNotFinite, SafetensorsInvalid,
 * FileFailed and the errors of node:fs; nothing stays allocated then.
 */
export const readPart = (backend: Backend, config: ModelConfig, tower: Tower, path: string): Parameters => {
  const shapes = modelTensors(config)
  const files = weightFiles(path)
  if (files.length === 0) throw new TorchFileInvalid({ file: path, reason: "the directory has no checkpoint" })
  let loaded: Parameters = {}
  try {
    for (const file of files) {
      const selection = { prefix: prefixes[tower], select: (name: string) => towerOf(name) === tower }
      const whole = asWholeModel(backend, config, file, selection.select)
      const more = whole ?? using(file, (opened) => loadDetailParameters(backend, opened, shapes, selection))
      loaded = { ...loaded, ...more }
    }
    return loaded
  } catch (error) {
    releaseParameters(loaded)
    throw error
  }
}

/** The same, every parameter of the tower. Raises TorchFileInvalid for those that the path lacks. */
export const readWholePart = (backend: Backend, config: ModelConfig, tower: Tower, path: string): Parameters => {
  const loaded = readPart(backend, config, tower, path)
  const lacking = [...modelTensors(config).keys()].filter(
    (name) => towerOf(name) === tower && loaded[name] === undefined
  )
  if (lacking.length === 0) return loaded
  releaseParameters(loaded)
  throw new TorchFileInvalid({
    file: path,
    reason: `it lacks ${lacking.length} parameters of the ${tower} part: ${firstNames(lacking)}`
  })
}
