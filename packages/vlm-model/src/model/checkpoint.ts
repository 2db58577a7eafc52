/** Whether the tensors of a checkpoint are those of its config, by its header alone: names, shapes and element types. */
import type { TensorStore } from "@speedq/formats"
import { type DType, formatShape, type Shape, sameShape } from "@speedq/tensors"
import { isHead, type Pieces, resolveNames } from "./huggingfaceNames.ts"
import type { ModelConfig } from "./ModelConfig.ts"
import { HeadNotTied, WeightShapeMismatch, WeightsMismatch, WeightsQuantized } from "./ModelErrors.ts"
import { modelTensors } from "./modelLayout.ts"

/** Element types that weights may be stored in. */
export const dtypeOf: { readonly [stored: string]: DType | undefined } = { F32: "f32", BF16: "bf16", F16: "f16" }

/** Ends of the names by which GPTQ, AWQ, compressed-tensors and FP8 checkpoints store a quantized Linear. */
const quantizedName = /\.(qweight|qzeros|g_idx|weight_packed|weight_scale|weight_scale_inv|weight_zero_point)$/

export interface Checkpoint {
  /** The stored tensors of each parameter of the config. */
  readonly pieces: ReadonlyMap<string, Pieces>
  /** A head that is stored although the config ties it to the embedding. */
  readonly headCopy: string | undefined
}

const storedShape = (store: TensorStore, pieces: Pieces): Shape => {
  const shapes = pieces.map((piece) => store.tensors.get(piece)!.shape)
  const [first = [], ...rest] = shapes
  return rest.length === 0 ? first : [shapes.reduce((rows, shape) => rows + shape[0]!, 0), ...first.slice(1)]
}

/**
 * Finds the tensors of `config` in `store`, in either layout. Raises WeightsQuantized, WeightsMismatch (all missing and all
 * unexpected names at once), WeightShapeMismatch.
 */
export const resolveCheckpoint = (config: ModelConfig, store: TensorStore): Checkpoint => {
  const file = store.path
  const quantized = [...store.tensors.keys()].find((name) => quantizedName.test(name))
  if (quantized !== undefined) throw new WeightsQuantized({ file, name: quantized })
  const shapes = modelTensors(config)
  const { pieces, missing, unexpected } = resolveNames(shapes.keys(), store.tensors.keys())
  const headCopy = config.llm_config.tie_word_embeddings ? unexpected.find(isHead) : undefined
  const strange = unexpected.filter((name) => name !== headCopy)
  if (missing.length + strange.length > 0) throw new WeightsMismatch({ file, missing, unexpected: strange })
  for (const [name, shape] of shapes) {
    const stored = pieces.get(name)!
    const actual = storedShape(store, stored)
    if (!sameShape(actual, shape)) {
      throw new WeightShapeMismatch({ file, name, expected: formatShape(shape), actual: formatShape(actual) })
    }
    for (const piece of stored) {
      const { dtype } = store.tensors.get(piece)!
      if (dtypeOf[dtype] === undefined) {
        throw new WeightShapeMismatch({ file, name, expected: "F32, BF16 or F16", actual: dtype })
      }
    }
  }
  return { pieces, headCopy }
}

/** Bytes that are compared at a time. */
const comparedAtOnce = 2 ** 22

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return a.length === b.length
}

/** Raises HeadNotTied where two tensors differ in any byte. */
export const requireSame = (store: TensorStore, head: string, embedding: string): void => {
  const [a, b] = [store.tensors.get(head)!, store.tensors.get(embedding)!]
  let same = a.dtype === b.dtype && sameShape(a.shape, b.shape)
  for (let start = 0; same && start < a.byteLength; start += comparedAtOnce) {
    const bytes: readonly [number, number] = [start, Math.min(a.byteLength, start + comparedAtOnce)]
    same = sameBytes(store.read(head, { bytes }), store.read(embedding, { bytes }))
  }
  if (!same) throw new HeadNotTied({ file: store.path, head, embedding })
}
