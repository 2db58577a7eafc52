/** A batch through projector and decoder: features and token ids to final hidden states. */
import { type Backend, checkpoint, type Parameters, type Tensor, tensor } from "@speedq/tensors"
import {
  decoder,
  decoderLayer,
  decoderLayerName,
  imageTokenRows,
  type LanguageConfig,
  type ModelDirectory,
  mergeEmbeddings,
  type Positions,
  projector,
  type TrainingBatch,
  type Weights
} from "@speedq/vlm-model"
import { parametersBelow } from "../model/parametersBelow.ts"

/** A network as a function of the parameters that are trained. */
export interface TrainedNetwork {
  readonly parameters: Parameters
  /** The weights that the network uses, out of those parameters and whatever is frozen. */
  readonly weightsOf: (parameters: Parameters) => Weights
}

/** What the decoder reads of a batch. */
export type DecoderBatch = Pick<TrainingBatch, "size" | "length" | "inputIds" | "attentionMask" | "positionIds">

interface HiddenStatesOptions {
  readonly backend: Backend
  readonly directory: ModelDirectory
  readonly weights: Weights
  readonly batch: DecoderBatch
  /** Features of the batch's tiles (VisionFeatures.ts), undefined when it has none. */
  readonly features: Tensor | undefined
  /** Keeps nothing of a decoder layer but its input, and computes the rest again in the backward pass. */
  readonly rematerialize?: TrainedNetwork | undefined
}

type LayerRunner = (index: number, x: Tensor) => Tensor

/** Decoder layers as functions of their input and their own parameters alone. */
const rematerialized =
  (config: LanguageConfig, { parameters, weightsOf }: TrainedNetwork, { ids, keyMask }: Positions): LayerRunner =>
  (index, x) => {
    const prefix = `${decoderLayerName(index)}.`
    const inputs: Parameters = { ...parametersBelow(prefix, parameters), x, ids, ...(keyMask ? { keyMask } : {}) }
    return checkpoint((again) => {
      const { x: input, ids: positions, keyMask: mask, ...layer } = again
      return decoderLayer(weightsOf(layer), config, index, input!, { ids: positions!, keyMask: mask })
    }, inputs)
  }

/** i32 [B, T] of a micro-batch. */
const integersOf =
  (backend: Backend, { size, length }: DecoderBatch) =>
  (values: ArrayLike<number>): Tensor =>
    tensor(backend, Int32Array.from(values), [size, length], "i32")

/** Positions of a micro-batch, with a mask where it is padded. In the caller's scope. */
export const positionsOf = (backend: Backend, batch: DecoderBatch): Positions => {
  const integers = integersOf(backend, batch)
  return {
    ids: integers(batch.positionIds),
    ...(batch.attentionMask.includes(0) ? { keyMask: integers(batch.attentionMask) } : {})
  }
}

/** What the decoder gets of a micro-batch, [B, T, H]: embeddings, and projected features where images are. In the caller's scope. */
export const inputEmbeddings = ({
  backend,
  directory: { config, tokens },
  weights,
  batch,
  features
}: Omit<HiddenStatesOptions, "rematerialize">): Tensor => {
  const visual = features === undefined ? [] : [projector(weights, features)]
  const rows = imageTokenRows(batch.inputIds, tokens.imageContext)
  return mergeEmbeddings(weights, config.llm_config, integersOf(backend, batch)(batch.inputIds), visual, rows)
}

/** Hidden states [B, T, H] of a micro-batch. Everything is in the caller's scope. */
export const hiddenStates = ({ rematerialize, ...options }: HiddenStatesOptions): Tensor => {
  const { backend, directory, weights, batch } = options
  const embeddings = inputEmbeddings(options)
  const positions = positionsOf(backend, batch)
  const language = directory.config.llm_config
  const run = rematerialize && rematerialized(language, rematerialize, positions)
  return decoder(weights, language, embeddings, positions, undefined, run)
}
