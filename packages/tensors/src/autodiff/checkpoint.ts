/** Rematerialization: a function whose inner values are not kept but computed again when its gradient is needed. */
import type { Tensor } from "../core/Tensor.ts"
import { scope, unscoped } from "../memory/scope.ts"
import { backward } from "./backward.ts"
import { currentTape, noGrad, Tape, withTape } from "./Tape.ts"

/**
 * Like `body(inputs)`, at the memory of its inputs and outputs only, for one more forward pass in the backward pass.
 * `inputs` names every tensor that needs a gradient, parameters too; the body must be a pure function of them.
 */
export const checkpoint = <I extends { readonly [name: string]: Tensor }>(
  body: (inputs: I) => Tensor,
  inputs: I
): Tensor => {
  const tape = currentTape()
  const output = noGrad(() => scope(() => body(inputs)))
  if (tape === undefined) return output
  const names = Object.keys(inputs)
  const operands = names.map((name) => inputs[name]!)
  const tracked = operands.map((tensor) => tape.variableOf(tensor) !== undefined)
  tape.record("checkpoint", operands, [output], operands, ([cotangent], saved) => {
    if (cotangent === undefined) return []
    const inner = new Tape({ brief: true })
    try {
      const views = saved as readonly Tensor[]
      const variables = views.map((view, index) => (tracked[index] ? inner.watch(view) : undefined))
      const again = Object.fromEntries(names.map((name, index) => [name, views[index]!])) as I
      const result = withTape(inner, () => scope(() => body(again)))
      const root = inner.variableOf(result)
      const targets = variables.filter((variable) => variable !== undefined)
      if (root === undefined) return []
      const seed = unscoped(() => cotangent.alias())
      const found = [...backward(inner, [[root, seed]], targets)]
      return variables.map((variable) => (variable === undefined ? undefined : found.shift()))
    } finally {
      // The body may fail half way the second time: memory was free the first time.
      inner.clear()
    }
  })
  return output
}
