/** Whole parameters out of a file of tensors, checked against the model's shapes. */
import { releaseParameters } from "@speedq/exports"
import {
  type Backend,
  cast,
  formatShape,
  type Parameters,
  type Shape,
  sameShape,
  type Tensor,
  tensor
} from "@speedq/tensors"
import { isQuantizerBuffer } from "@speedq/vlm-model"
import { TorchFileInvalid } from "../torch/TorchFileInvalid.ts"
import { type DetailFile, type DetailTensor, readFinite } from "./detailFiles.ts"

const load = (backend: Backend, values: Float32Array, { shape, dtype }: DetailTensor): Tensor => {
  const wide = tensor(backend, values, shape)
  const stored = dtype.toLowerCase()
  // Matrices stay as they are stored, as those of a checkpoint do; everything else is small.
  if (shape.length !== 2 || (stored !== "bf16" && stored !== "f16")) return wide
  try {
    return cast(wide, stored)
  } finally {
    wide.release()
  }
}

interface DetailSelection {
  /** What the names of one tower may lack in the file. */
  readonly prefix?: string
  /** Only parameters whose name passes; default all. */
  readonly select?: (name: string) => boolean
}

/**
 * Every tensor of a file that is selected, as the parameter of its name, or of `prefix` + its name; buffers of the reference's
 * quantizers are none. Raises TorchFileInvalid for one that the model does not have, or has in another shape, and TensorNotFinite;
 * nothing stays allocated then.
 */
export const loadDetailParameters = (
  backend: Backend,
  file: DetailFile,
  shapes: ReadonlyMap<string, Shape>,
  { prefix = "", select = () => true }: DetailSelection = {}
): Parameters => {
  const loaded: { [name: string]: Tensor } = {}
  const fail = (reason: string): never => {
    throw new TorchFileInvalid({ file: file.path, reason })
  }
  try {
    for (const [stored, tensor] of file.tensors) {
      const name = shapes.has(stored) || stored.startsWith(prefix) ? stored : prefix + stored
      if (isQuantizerBuffer(stored) || !select(name)) continue
      const expected = shapes.get(name) ?? fail(`the model has no parameter "${name}"`)
      if (!sameShape(tensor.shape, expected)) {
        fail(`${name} is ${formatShape(tensor.shape)}, but config.json requires ${formatShape(expected)}`)
      }
      loaded[name] = load(backend, readFinite(file, stored, tensor), tensor)
    }
    return loaded
  } catch (error) {
    releaseParameters(loaded)
    throw error
  }
}
