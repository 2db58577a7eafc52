/** A packed container as a checkpoint: packed weights stay packed, all others are loaded like those of any model. */
import { layerOf, parameterOf, type TensorStore } from "@speedq/formats"
import { type PackedWeights, type Quantizer, readPackedContainer } from "@speedq/quantizers"
import type { Backend, Parameters } from "@speedq/tensors"
import { headLayerOf, loadWeights, type ModelConfig } from "@speedq/vlm-model"
import { releasePacked } from "../model/releases.ts"

export interface PackedModel {
  readonly packed: PackedWeights
  readonly others: Parameters
}

/** The container seen as if packed weights were whole: their entries out of sight, their names with the shapes that the config wants. */
const asCheckpoint = (store: TensorStore, packed: PackedWeights): TensorStore => {
  const hidden = new Set([...packed].flatMap(([layer, weight]) => weight.entries(layer).map(({ name }) => name)))
  const plain = [...store.tensors].filter(([name]) => !hidden.has(name))
  const whole = [...packed].map(
    ([layer, { shape }]) => [parameterOf(layer), { dtype: "F32", shape, byteOffset: 0, byteLength: 0 }] as const
  )
  return {
    path: store.path,
    metadata: store.metadata,
    tensors: new Map([...plain, ...whole]),
    read: (name, range) => store.read(name, range),
    readInto: (name, target, range) => store.readInto(name, target, range),
    readFiniteInto: (name, target, range) => store.readFiniteInto(name, target, range),
    close: () => store.close()
  }
}

/**
 * Reads a packed container of `config`'s model. Raises PackedInvalid, QuantizerMissing, QuantizerVersionDiffers, WeightsMismatch,
 * WeightShapeMismatch and the read errors of formats; nothing stays allocated then.
 */
export const readPackedModel = (
  backend: Backend,
  config: ModelConfig,
  store: TensorStore,
  known: readonly Quantizer[]
): PackedModel => {
  const { llm_config } = config
  const head = llm_config.tie_word_embeddings ? undefined : headLayerOf(llm_config)
  const packed = readPackedContainer(backend, store, known, head)
  try {
    const select = (name: string) => !packed.has(layerOf(name))
    return { packed, others: loadWeights(backend, config, asCheckpoint(store, packed), { select }) }
  } catch (error) {
    releasePacked(packed)
    throw error
  }
}
