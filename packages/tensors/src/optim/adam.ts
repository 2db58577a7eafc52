/** Adam and AdamW (arXiv:1412.6980, 1711.05101) over a named tree of parameters. */
import type { GradientsOf, Parameters } from "../autodiff/valueAndGrad.ts"
import { MissingOperand } from "../core/Errors.ts"
import type { Tensor } from "../core/Tensor.ts"
import { adamStep } from "../kernels/adamStep/definition.ts"
import { type MomentFormat, storedMoments } from "./moments.ts"

/** What has to be saved to continue: moments by parameter name, as they are stored (moments.ts), and how many steps were taken. */
export interface AdamState {
  readonly step: number
  readonly m: { readonly [name: string]: Tensor }
  readonly v: { readonly [name: string]: Tensor }
}

export interface AdamOptions {
  /** Decay of the first moment; 0.9. */
  readonly beta1?: number
  /** Decay of the second moment; 0.999. */
  readonly beta2?: number
  /** Added to the root of the second moment; 1e-8. */
  readonly epsilon?: number
  /** 0.01 for AdamW, 0 for Adam. */
  readonly weightDecay?: number
  /** Which parameters decay; all when absent (the reference decays norms and biases too). */
  readonly decays?: (name: string) => boolean
  /** Factor of the learning rate, by parameter; 1 for all when absent. */
  readonly rateOf?: (name: string) => number
  /** What moments are kept in between steps, which compute in f32; f32. */
  readonly states?: MomentFormat
}

export interface StepOptions {
  readonly learningRate: number
  /** [1]: scales every gradient first, for clipping. Where it is negative, parameters and moments stay as they are. */
  readonly factor?: Tensor | undefined
}

/** Updates parameters in place from their gradients. */
export interface Optimizer {
  /** Moments of zero for every parameter. */
  readonly init: (parameters: Parameters) => AdamState
  /**
   * Takes one step: parameters and moments are overwritten, the state returned counts it and shares the moments.
   * Raises MissingOperand when a parameter has no gradient or no moments, ShapeMismatch when they do not fit.
   */
  readonly update: <P extends Parameters>(
    parameters: P,
    gradients: GradientsOf<P>,
    state: AdamState,
    options: StepOptions
  ) => AdamState
}

const optimizer = (
  name: string,
  decoupled: boolean,
  {
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    weightDecay = 0,
    decays = () => true,
    rateOf = () => 1,
    states = "f32"
  }: AdamOptions
): Optimizer => {
  const first = storedMoments(states, { signed: true })
  const second = storedMoments(states, { signed: false })
  const named = (tensors: { readonly [name: string]: Tensor }, kind: string, key: string): Tensor => {
    const tensor = tensors[key]
    if (tensor === undefined) throw new MissingOperand(name, `${kind} of ${key}`)
    return tensor
  }
  return {
    init: (parameters) => ({ step: 0, m: first.zeros(parameters), v: second.zeros(parameters) }),
    update: (parameters, gradients, { step, m, v }, { learningRate, factor }) => {
      const operands = Object.entries(parameters).map(([key, parameter]) => ({
        decay: decays(key) ? weightDecay : 0,
        rate: learningRate * rateOf(key),
        parameter,
        gradient: named(gradients, "gradient", key),
        m: first.of((entry) => named(m, "first moment", entry), key),
        v: second.of((entry) => named(v, "second moment", entry), key)
      }))
      for (const { decay, rate, m, v, ...tensors } of operands) {
        const attributes = { learningRate: rate, beta1, beta2, epsilon, weightDecay: decay, decoupled, step: step + 1 }
        m.update(step, (m) => v.update(step, (v) => adamStep({ ...tensors, m, v, factor }, attributes)))
      }
      return { step: step + 1, m, v }
    }
  }
}

/** AdamW: the weight decay shrinks parameters directly. */
export const adamW = (options: AdamOptions = {}): Optimizer =>
  optimizer("adamW", true, { weightDecay: 0.01, ...options })

/** Adam: the weight decay, if any, is added to the gradient. */
export const adam = (options: AdamOptions = {}): Optimizer => optimizer("adam", false, options)
