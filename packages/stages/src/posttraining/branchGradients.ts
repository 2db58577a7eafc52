/**
 * Gradients of a record's cross entropy at what attention and MLP of each decoder layer add to the residual stream:
 *
 *   h = x + attention(x),  y = h + mlp(h):   dL/d attention(x) = dL/dh,  dL/d mlp(h) = dL/dy
 *
 * so a walk back through the layers passes all of them. Of each layer its input is kept, and the rest computed again on the way back, one
 * layer at a time: L + 1 tensors [1, T, H] and what one layer keeps.
 */
import { crossEntropy, vocabularyLoss } from "@speedq/distillation"
import { parameterOf } from "@speedq/formats"
import {
  add,
  type Backend,
  multiply,
  noGrad,
  rmsNorm,
  scope,
  sum,
  type Tensor,
  valueAndGrad,
  zeros
} from "@speedq/tensors"
import {
  attentionBranch,
  decoderLayer,
  decoderNorm,
  headLayerOf,
  type LanguageConfig,
  type ModelDirectory,
  mlpBranch,
  type Positions,
  type Weights
} from "@speedq/vlm-model"
import type { MicroBatch } from "../data/SampleLoader.ts"
import { type DecoderBatch, inputEmbeddings, positionsOf } from "../training/hiddenStates.ts"

export type Branch = "attention" | "mlp"

type LabelledRecord = DecoderBatch & Pick<MicroBatch, "labels">

interface Network {
  readonly backend: Backend
  readonly directory: ModelDirectory
  readonly weights: Weights
}

interface RecordToPass extends Network {
  readonly record: LabelledRecord
  /** Features of the record's tiles, undefined when it has none. */
  readonly features: Tensor | undefined
}

/** dL/dx [1, T, H] of the cross entropy after the last layer: a mean over the record's answer, as in training. */
const lossGradient = (weights: Weights, language: LanguageConfig, record: LabelledRecord, x: Tensor): Tensor => {
  const labels = { values: record.labels, batch: record.size, length: record.length }
  return scope(
    () =>
      valueAndGrad(({ x: last }: { readonly x: Tensor }) => {
        const hidden = rmsNorm(last, weights.get(parameterOf(decoderNorm)), language.rms_norm_eps)
        const student = { hidden, weight: weights.get(parameterOf(headLayerOf(language))) }
        return { loss: vocabularyLoss({ losses: [crossEntropy()], labels, student }).loss, auxiliary: undefined }
      })({ x }).gradients.x
  )
}

interface LayerToPass {
  readonly weights: Weights
  readonly language: LanguageConfig
  readonly index: number
  readonly positions: Positions
}

/**
 * dL/dh and dL/dx of layer `index`, out of its input x and dL/dy. A zero that is added to h stands for h: its gradient is dL/dh. In the
 * caller's scope.
 */
const backThroughLayer = ({ weights, language, index, positions }: LayerToPass, x: Tensor, after: Tensor) =>
  valueAndGrad(({ before, middle }: { readonly before: Tensor; readonly middle: Tensor }) => {
    const h = add(add(before, attentionBranch(weights, language, index, before, positions)), middle)
    const y = add(h, mlpBranch(weights, language, index, h))
    return { loss: sum(multiply(y, after)), auxiliary: undefined }
  })({ before: x, middle: zeros(x.backend, x.shape) }).gradients

/** Calls `see` with the gradient [T, H] at each branch of each layer, from the last to the first. Raises what backends raise. */
export const passBranchGradients = async (
  { backend, directory, weights, record, features }: RecordToPass,
  see: (index: number, branch: Branch, gradient: Float32Array) => void
): Promise<void> => {
  const language = directory.config.llm_config
  const passing = (index: number): LayerToPass => ({
    ...{ weights, language, index },
    positions: positionsOf(backend, record)
  })
  const inputs: Tensor[] = []
  let gradient: Tensor | undefined
  try {
    inputs.push(noGrad(() => scope(() => inputEmbeddings({ backend, directory, weights, batch: record, features }))))
    for (let index = 0; index < language.num_hidden_layers; index++) {
      const run = () => decoderLayer(weights, language, index, inputs[index]!, passing(index).positions)
      inputs.push(noGrad(() => scope(run)))
    }
    gradient = lossGradient(weights, language, record, inputs.at(-1)!)
    for (let index = language.num_hidden_layers - 1; index >= 0; index--) {
      inputs.pop()!.release()
      see(index, "mlp", (await gradient.read()) as Float32Array)
      const { before, middle } = scope(() => backThroughLayer(passing(index), inputs[index]!, gradient!))
      gradient.release()
      gradient = before
      see(index, "attention", (await middle.read().finally(() => middle.release())) as Float32Array)
    }
  } finally {
    gradient?.release()
    for (const each of inputs) each.release()
  }
}
