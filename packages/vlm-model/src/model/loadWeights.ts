/** Reads the weights of a model directory into tensors, straight into the backend's memory. */
import { parameterOf, type TensorStore } from "@speedq/formats"
import {
  type Backend,
  bf16ToF32,
  type DType,
  elementBytes,
  f16ToF32,
  generate,
  type Shape,
  sizeOf,
  type Tensor
} from "@speedq/tensors"
import { dtypeOf, requireSame, resolveCheckpoint } from "./checkpoint.ts"
import type { Pieces } from "./huggingfaceNames.ts"
import { embeddingLayerOf } from "./language.ts"
import type { ModelConfig } from "./ModelConfig.ts"
import { patchGrid } from "./ModelConfig.ts"
import { WeightMissing } from "./ModelErrors.ts"
import { modelTensors, positionsFit } from "./modelLayout.ts"
import { resizePositions } from "./resizePositions.ts"

export interface LoadOptions {
  /**
   * "stored" keeps 16-bit matrices (frozen weights, half the memory); "f32" widens everything (training).
   * Vectors (norms, biases) are always f32. Default "stored".
   */
  readonly matrices?: "stored" | "f32"
  /** Only tensors whose name passes; default all. */
  readonly select?: (name: string) => boolean
}

const positionName = "vision_model.embeddings.position_embedding"
/** Patterns widened at a time: they stay in the cache between reading and widening. */
const widenedAtOnce = 1 << 17
const patterns = new Uint16Array(widenedAtOnce)

/** Widens stored 16-bit patterns into f32 `target` as they are read: no second copy of the tensor. */
const widenInto = (store: TensorStore, name: string, stored: "BF16" | "F16", target: Uint8Array): void => {
  const widen = stored === "BF16" ? bf16ToF32 : f16ToF32
  const floats = new Float32Array(target.buffer, target.byteOffset, target.byteLength / 4)
  for (let start = 0; start < floats.length; start += widenedAtOnce) {
    const end = Math.min(floats.length, start + widenedAtOnce)
    const part = patterns.subarray(0, end - start)
    store.readFiniteInto(name, new Uint8Array(part.buffer, 0, part.byteLength), { bytes: [2 * start, 2 * end] })
    widen(part, floats.subarray(start, end))
  }
}

interface Source {
  readonly store: TensorStore
  readonly pieces: Pieces
}

const loadTensor = (backend: Backend, source: Source, shape: Shape, dtype: DType): Tensor =>
  generate(backend, { shape, dtype }, (bytes) => {
    let offset = 0
    for (const piece of source.pieces) {
      const info = source.store.tensors.get(piece)!
      const length = sizeOf(info.shape) * elementBytes(dtype)
      const target = bytes.subarray(offset, offset + length)
      const stored = info.dtype
      if (dtypeOf[stored] === dtype) source.store.readFiniteInto(piece, target)
      else widenInto(source.store, piece, stored as "BF16" | "F16", target)
      offset += length
    }
  })

/** The position table for the model's tile size: read whole, since it is resized. */
const loadPositions = (backend: Backend, config: ModelConfig, source: Source, stored: Shape): Tensor => {
  const [, rows, columns] = stored as readonly [number, number, number]
  const side = config.vision_config.image_size / config.vision_config.patch_size
  const grid = patchGrid(config)
  const table = new Float32Array(rows * columns)
  const [name] = source.pieces
  const info = source.store.tensors.get(name!)!
  if (info.dtype === "F32") source.store.readFiniteInto(name!, new Uint8Array(table.buffer))
  else widenInto(source.store, name!, info.dtype as "BF16" | "F16", new Uint8Array(table.buffer))
  const resized = resizePositions(table, columns, [side, side], [grid, grid])
  return generate(backend, { shape: [1, grid * grid + 1, columns], dtype: "f32" }, (bytes) =>
    bytes.set(new Uint8Array(resized.buffer))
  )
}

/** The element type of a tensor in memory: as stored, or widened. */
const loadedDtype = ({ store, pieces }: Source, shape: Shape, matrices: LoadOptions["matrices"]): DType => {
  const stored = dtypeOf[store.tensors.get(pieces[0]!)!.dtype]!
  // The patch embedding is used once a tile as a matrix; norms and biases take no room: all of these are f32.
  return matrices === "stored" && shape.length === 2 ? stored : "f32"
}

/**
 * A function that reads one tensor of `config` at a time, as `loadWeights` loads it with matrices as stored: a new tensor in the
 * caller's scope. Position tables are read by `loadWeights` alone. Raises what `loadWeights` raises; afterwards TensorNotFinite,
 * read errors, and WeightMissing for a name that the model does not have.
 */
export const weightReader = (backend: Backend, config: ModelConfig, store: TensorStore): ((name: string) => Tensor) => {
  const shapes = modelTensors(config)
  const { pieces } = resolveCheckpoint(config, store)
  return (name) => {
    const [shape, found] = [shapes.get(name), pieces.get(name)]
    if (shape === undefined || found === undefined) throw new WeightMissing({ name })
    const source = { store, pieces: found }
    return loadTensor(backend, source, shape, loadedDtype(source, shape, "stored"))
  }
}

/**
 * Loads the tensors of `config` from `store`, in either layout. Raises WeightsMismatch (all missing and all unexpected
 * names at once), WeightShapeMismatch, WeightsQuantized, HeadNotTied, TensorNotFinite, and the read errors of formats.
 */
export const loadWeights = (
  backend: Backend,
  config: ModelConfig,
  store: TensorStore,
  { matrices = "stored", select = () => true }: LoadOptions = {}
): { readonly [name: string]: Tensor } => {
  const expected = modelTensors(config)
  const { pieces, headCopy } = resolveCheckpoint(config, store)
  if (headCopy !== undefined)
    requireSame(store, headCopy, pieces.get(parameterOf(embeddingLayerOf(config.llm_config)))![0]!)
  const loaded: { [name: string]: Tensor } = {}
  try {
    for (const [name, shape] of expected) {
      if (!select(name)) continue
      const source = { store, pieces: pieces.get(name)! }
      if (name === positionName && !positionsFit(config)) {
        loaded[name] = loadPositions(backend, config, source, shape)
        continue
      }
      loaded[name] = loadTensor(backend, source, shape, loadedDtype(source, shape, matrices))
    }
    return loaded
  } catch (error) {
    for (const tensor of Object.values(loaded)) tensor.release()
    throw error
  }
}
