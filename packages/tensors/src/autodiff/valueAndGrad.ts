/** Functional differentiation: a loss of named parameters becomes a function that returns its value and gradients. */
import { NotDifferentiable, ShapeMismatch } from "../core/Errors.ts"
import { type Tensor, tensor, zeros } from "../core/Tensor.ts"
import { scope, unscoped } from "../memory/scope.ts"
import { backward } from "./backward.ts"
import { Tape, withTape } from "./Tape.ts"

/** Parameters by the checkpoint's own names. */
export type Parameters = { readonly [name: string]: Tensor }
export type GradientsOf<P extends Parameters> = { readonly [K in keyof P]: Tensor }

export interface ValueAndGrad<P extends Parameters, X> {
  /** The loss, one element. */
  readonly value: Tensor
  /** One gradient a parameter, in its shape; zeros where the loss does not depend on it. */
  readonly gradients: GradientsOf<P>
  /** What the loss function returned beside the loss. */
  readonly auxiliary: X
}

export interface ValueAndGradOptions<P extends Parameters> {
  /** Adds gradients to these tensors (micro-batches) instead of allocating; they are the ones returned. */
  readonly into?: GradientsOf<P>
  /**
   * A loss that depends on no parameter has gradients of zero: that of text while nothing trains but what images pass through.
   * Without it, such a loss is taken for a mistake and raises NotDifferentiable.
   */
  readonly mayBeConstant?: boolean
}

/**
 * `valueAndGrad(loss)(parameters)`: everything the loss allocates is released afterwards, also when it throws;
 * value, gradients and auxiliary tensors belong to the caller's scope.
 *
 * @example
 * const { value, gradients } = valueAndGrad(({ w }) => ({ loss: sum(multiply(w, w)), auxiliary: undefined }))({ w })
 */
export const valueAndGrad =
  <P extends Parameters, X>(
    loss: (parameters: P) => { readonly loss: Tensor; readonly auxiliary: X },
    options: ValueAndGradOptions<P> = {}
  ) =>
  (parameters: P): ValueAndGrad<P, X> =>
    scope(() => {
      const tape = new Tape()
      try {
        const names = Object.keys(parameters)
        const variables = names.map((name) => tape.watch(parameters[name]!))
        const { loss: value, auxiliary } = withTape(tape, () => loss(parameters))
        if (value.size !== 1) throw new ShapeMismatch("valueAndGrad", "loss", "one element", value.shape)
        const root = tape.variableOf(value)
        const { into, mayBeConstant = false } = options
        if (root === undefined && !mayBeConstant) {
          throw new NotDifferentiable("valueAndGrad", "the loss does not depend on any parameter")
        }
        const accumulators = new Map(into ? names.map((name, index) => [variables[index]!, into[name]!] as const) : [])
        const roots =
          root === undefined ? [] : [[root, unscoped(() => tensor(value.backend, [1], value.shape))] as const]
        const found = backward(tape, roots, variables, accumulators).map(adopted)
        const gradients = Object.fromEntries(
          names.map((name, index) => {
            const parameter = parameters[name]!
            return [name, into?.[name] ?? found[index] ?? zeros(parameter.backend, parameter.shape)]
          })
        ) as GradientsOf<P>
        return { value: keepIfOutside(value, parameters), gradients, auxiliary }
      } finally {
        tape.clear()
      }
    })

/** Brings a tensor that was made outside of every scope into the current one. */
const adopted = (gradient: Tensor | undefined): Tensor | undefined => {
  if (gradient === undefined) return undefined
  const inside = gradient.alias()
  gradient.release()
  return inside
}

/** A loss that is itself a parameter is returned under a view of its own. */
const keepIfOutside = (value: Tensor, parameters: Parameters): Tensor =>
  Object.values(parameters).includes(value) ? value.alias() : value
