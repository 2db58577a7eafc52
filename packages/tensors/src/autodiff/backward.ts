/** The backward pass over a tape: gradients flow from outputs to variables, each freed as soon as it has been used. */
import type { Tensor } from "../core/Tensor.ts"
import { add } from "../kernels/add.ts"
import { addInto } from "../kernels/addInto.ts"
import { scope, unscoped } from "../memory/scope.ts"
import { noGrad, type Tape, type Variable } from "./Tape.ts"

/** Sums a new gradient into what a variable has. In place only where nobody else views the sum's storage. */
const accumulate = (held: Tensor | undefined, gradient: Tensor): Tensor => {
  if (held === undefined) return gradient
  if (held.storage.references === 1) {
    addInto(held, gradient)
    gradient.release()
    return held
  }
  const sum = add(held, gradient)
  held.release()
  gradient.release()
  return sum
}

/** Makes every gradient a tensor of its own: a backward may return a cotangent itself, or one tensor for two inputs. */
const owned = (results: readonly (Tensor | undefined)[], borrowed: readonly (Tensor | undefined)[]) => {
  const taken = new Set(borrowed)
  return results.map((result) => {
    if (result === undefined) return undefined
    if (taken.has(result)) return result.alias()
    taken.add(result)
    return result
  })
}

/**
 * Runs the tape backwards from `seeds` (variable and its gradient; taken over) and returns the gradients of `targets`,
 * in order, undefined where nothing flowed. A target given in `into` is accumulated there instead, as soon as it is complete.
 * The tape is empty afterwards.
 */
export const backward = (
  tape: Tape,
  seeds: readonly (readonly [Variable, Tensor])[],
  targets: readonly Variable[],
  into: ReadonlyMap<Variable, Tensor> = new Map()
): readonly (Tensor | undefined)[] =>
  noGrad(() =>
    unscoped(() => {
      const wanted = new Set(targets)
      const gradients = new Map<Variable, Tensor>()
      const put = (variable: Variable, gradient: Tensor) => {
        const accumulator = into.get(variable)
        if (accumulator === undefined) gradients.set(variable, accumulate(gradients.get(variable), gradient))
        else {
          addInto(accumulator, gradient)
          gradient.release()
        }
      }
      /** Hands gradients over; when one cannot be summed, all of them are given back. */
      const putAll = (variables: readonly (Variable | undefined)[], produced: readonly (Tensor | undefined)[]) => {
        try {
          for (const [index, variable] of variables.entries()) {
            const gradient = produced[index]
            if (variable === undefined) gradient?.release()
            else if (gradient !== undefined) put(variable, gradient)
          }
        } catch (error) {
          for (const gradient of produced) gradient?.release()
          throw error
        }
      }
      try {
        putAll(
          seeds.map(([variable]) => variable),
          seeds.map(([, gradient]) => gradient)
        )
        for (let node = tape.nodes.pop(); node !== undefined; node = tape.nodes.pop()) {
          const { inputs, outputs, saved } = node
          try {
            const cotangents = outputs.map((output) => gradients.get(output))
            if (cotangents.every((cotangent) => cotangent === undefined)) continue
            const produced = owned(
              scope(() => node.backward(cotangents)),
              cotangents
            )
            putAll(inputs, produced)
          } finally {
            for (const tensor of saved) tensor.release()
            for (const output of outputs) {
              if (wanted.has(output)) continue
              gradients.get(output)?.release()
              gradients.delete(output)
            }
          }
        }
        return targets.map((target) => {
          const gradient = gradients.get(target)
          gradients.delete(target)
          return gradient
        })
      } finally {
        for (const gradient of gradients.values()) gradient.release()
        tape.clear()
      }
    })
  )
