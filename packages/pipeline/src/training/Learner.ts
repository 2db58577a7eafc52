/** Trained parameters with their optimizer state, and one step of them: gradients over micro-batches, clipping, AdamW. */
import {
  adamStep,
  addInto,
  clipFactor,
  type GradientsOf,
  keep,
  noGrad,
  type Parameters,
  scale,
  scope,
  sumSquaresInto,
  type Tensor,
  valueAndGrad,
  zeros
} from "@speedq/tensors"

export interface Moments {
  readonly m: Tensor
  readonly v: Tensor
}

/** Tensors are updated in place by `update`. */
export interface Learner {
  readonly parameters: Parameters
  readonly moments: { readonly [name: string]: Moments }
}

/** Hyper-parameters of AdamW and of clipping. */
export interface UpdateOptions {
  readonly learningRate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  /** Largest norm of all gradients together. */
  readonly maxNorm: number
  /** Optimizer steps done, this one included. */
  readonly step: number
}

/** Puts fresh moments beside parameters, which pass into the learner's keeping. */
export const makeLearner = (parameters: Parameters): Learner => ({
  parameters: Object.fromEntries(Object.entries(parameters).map(([name, parameter]) => [name, keep(parameter)])),
  moments: Object.fromEntries(
    Object.entries(parameters).map(([name, { backend, shape }]) => [
      name,
      { m: keep(zeros(backend, shape)), v: keep(zeros(backend, shape)) }
    ])
  )
})

export const releaseLearner = ({ parameters, moments }: Learner): void => {
  for (const parameter of Object.values(parameters)) parameter.release()
  for (const { m, v } of Object.values(moments)) {
    m.release()
    v.release()
  }
}

/** A loss on one micro-batch, with its parts by name; `share` is the micro-batch's part of the step. */
export type MicroBatchLoss = (
  parameters: Parameters,
  share: number
) => { readonly loss: Tensor; readonly parts: { readonly [name: string]: Tensor } }

export interface StepGradients {
  readonly gradients: GradientsOf<Parameters>
  /** Loss of the step, [1], and its parts. */
  readonly loss: Tensor
  readonly parts: { readonly [name: string]: Tensor }
  /** Sum of the squares of all gradients, [1]. */
  readonly squares: Tensor
}

/** Gradients of the mean loss over micro-batches. The caller releases what is returned. */
export const gradientsOf = (learner: Learner, microBatches: readonly MicroBatchLoss[]): StepGradients =>
  scope(() => {
    const share = 1 / microBatches.length
    let sum: StepGradients | undefined
    for (const loss of microBatches) {
      const { value, gradients, auxiliary } = valueAndGrad(
        (parameters: Parameters) => {
          const result = loss(parameters, share)
          return { loss: scale(result.loss, share), auxiliary: result.parts }
        },
        sum === undefined ? {} : { into: sum.gradients }
      )(learner.parameters)
      const parts = Object.fromEntries(Object.entries(auxiliary).map(([name, part]) => [name, scale(part, share)]))
      if (sum === undefined) {
        sum = { gradients, loss: value, parts, squares: value }
        continue
      }
      addInto(sum.loss, value)
      for (const [name, part] of Object.entries(parts)) addInto(sum.parts[name]!, part)
    }
    if (sum === undefined) throw new RangeError("a step needs at least one micro-batch")
    const squares = zeros(sum.loss.backend, [1])
    for (const gradient of Object.values(sum.gradients)) sumSquaresInto(squares, gradient)
    return { ...sum, squares }
  })

/** Clips and applies the gradients of a step. */
export const update = (learner: Learner, { gradients, squares }: StepGradients, options: UpdateOptions): void =>
  noGrad(() =>
    scope(() => {
      const { maxNorm, ...attributes } = options
      const factor = clipFactor(squares, maxNorm)
      for (const [name, parameter] of Object.entries(learner.parameters)) {
        const operands = { parameter, ...learner.moments[name]!, gradient: gradients[name]!, factor }
        adamStep(operands, { ...attributes, decoupled: true })
      }
    })
  )
