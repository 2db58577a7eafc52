/** Trained parameters with their optimizer state, and one step of them: gradients over micro-batches, clipping, AdamW. */
import {
  type AdamState,
  addInto,
  clipByGlobalNorm,
  type GradientsOf,
  keep,
  noGrad,
  type Optimizer,
  type Parameters,
  scale,
  scope,
  type Tensor,
  valueAndGrad
} from "@speedq/tensors"

/** Tensors are updated in place by `update`. */
export interface Learner {
  readonly parameters: Parameters
  readonly optimizer: AdamState
}

/** Puts fresh moments beside parameters; all of them pass into the learner's keeping. */
export const makeLearner = (parameters: Parameters, optimizer: Optimizer): Learner => {
  const state = optimizer.init(parameters)
  for (const tensor of [parameters, state.m, state.v].flatMap(Object.values<Tensor>)) keep(tensor)
  return { parameters, optimizer: state }
}

export const releaseLearner = ({ parameters, optimizer }: Learner): void => {
  for (const tensor of [parameters, optimizer.m, optimizer.v].flatMap(Object.values<Tensor>)) tensor.release()
}

/** A loss on one micro-batch, with its parts by name. */
export type MicroBatchLoss = (parameters: Parameters) => {
  readonly loss: Tensor
  readonly parts: { readonly [name: string]: Tensor }
}

/** What the micro-batches of a step have given so far, each counted with its share. */
export interface Accumulated {
  readonly gradients: GradientsOf<Parameters>
  /** Loss, [1], and its parts. */
  readonly loss: Tensor
  readonly parts: { readonly [name: string]: Tensor }
}

export interface StepGradients extends Accumulated {
  /** Norm of all gradients together, [1], and the factor that clips them; -1 where no step is to be taken. */
  readonly norm: Tensor
  readonly factor: Tensor
}

/** Adds loss and gradients of one more micro-batch, in the tensors of `sum` where there is one. The caller releases them. */
export const accumulate = (
  parameters: Parameters,
  lossOf: MicroBatchLoss,
  share: number,
  sum?: Accumulated
): Accumulated =>
  scope(() => {
    const { value, gradients, auxiliary } = valueAndGrad(
      (parameters: Parameters) => {
        const { loss, parts } = lossOf(parameters)
        return { loss: scale(loss, share), auxiliary: parts }
      },
      // Text alone does not reach a projector.
      { mayBeConstant: true, ...(sum === undefined ? {} : { into: sum.gradients }) }
    )(parameters)
    const parts = Object.fromEntries(Object.entries(auxiliary).map(([name, part]) => [name, scale(part, share)]))
    if (sum === undefined) return { gradients, loss: value, parts }
    addInto(sum.loss, value)
    for (const [name, part] of Object.entries(parts)) addInto(sum.parts[name]!, part)
    return sum
  })

/** Adds the sums of the next shard to those of the shards before it, in the tensors of `sum` where there is one; `next` is released then. */
export const addShard = (sum: Accumulated | undefined, next: Accumulated): Accumulated => {
  if (sum === undefined) return next
  for (const [name, gradient] of Object.entries(next.gradients)) addInto(sum.gradients[name]!, gradient)
  addInto(sum.loss, next.loss)
  for (const [name, part] of Object.entries(next.parts)) addInto(sum.parts[name]!, part)
  releaseGradients(next)
  return sum
}

/**
 * The gradients of a step with the factor that keeps their norm within `maxNorm`. Loss and norm must be finite, and `before`, the factor
 * of the last step, not negative: else no step is to be taken.
 */
export const limitNorm = (sum: Accumulated, maxNorm: number, before?: Tensor): StepGradients => ({
  ...sum,
  ...clipByGlobalNorm(sum.gradients, maxNorm, { loss: sum.loss, before })
})

/** Gradients of the mean loss over micro-batches. The caller releases what is returned. */
export const gradientsOf = (
  learner: Learner,
  microBatches: readonly MicroBatchLoss[],
  maxNorm: number
): StepGradients =>
  scope(() => {
    let sum: Accumulated | undefined
    for (const lossOf of microBatches) sum = accumulate(learner.parameters, lossOf, 1 / microBatches.length, sum)
    if (sum === undefined) throw new RangeError("a step needs at least one micro-batch")
    return limitNorm(sum, maxNorm)
  })

export const releaseGradients = ({ gradients, loss, parts, ...rest }: Accumulated & Partial<StepGradients>): void => {
  for (const tensor of [...Object.values(gradients), loss, ...Object.values(parts), rest.norm, rest.factor]) {
    tensor?.release()
  }
}

/** Applies the clipped gradients of a step; the parameters are overwritten, or stay where no step is to be taken. */
export const update = (
  learner: Learner,
  { gradients, factor }: StepGradients,
  optimizer: Optimizer,
  learningRate: number
): Learner =>
  noGrad(() => ({
    parameters: learner.parameters,
    optimizer: optimizer.update(learner.parameters, gradients, learner.optimizer, { learningRate, factor })
  }))
