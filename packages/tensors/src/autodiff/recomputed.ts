/** Values that are cheap to make: not kept for the backward pass, but made again when a gradient reads them. */
import type { Tensor } from "../core/Tensor.ts"
import { scope, unscoped } from "../memory/scope.ts"
import { backward } from "./backward.ts"
import { currentTape, noGrad, type Remade, Tape, withTape } from "./Tape.ts"

type Named = { readonly [name: string]: Tensor }

/** The value of `body` made a second time, with the tape of it: once, by whoever needs it first, for all that read it. */
const remade = <I extends Named>(
  body: (inputs: I) => Tensor,
  inputsOf: () => I,
  tracked: readonly boolean[]
): Remade & { readonly gradients: (cotangent: Tensor) => readonly (Tensor | undefined)[] } => {
  const tape = new Tape({ brief: true })
  let made: Tensor | undefined
  const value = (): Tensor => {
    if (made !== undefined) return made
    const inputs = inputsOf()
    for (const [index, tensor] of Object.values(inputs).entries()) if (tracked[index]) tape.watch(tensor)
    made = unscoped(() => withTape(tape, () => scope(() => body(inputs))))
    return made
  }
  return {
    value,
    gradients: (cotangent) => {
      const root = tape.variableOf(value())
      if (root === undefined) return []
      const variables = Object.values(inputsOf()).map((tensor) => tape.variableOf(tensor))
      const targets = variables.filter((variable) => variable !== undefined)
      const seed = unscoped(() => cotangent.alias())
      const found = [...backward(tape, [[root, seed]], targets)]
      return variables.map((variable) => (variable === undefined ? undefined : found.shift()))
    },
    release: () => {
      made?.release()
      made = undefined
      tape.clear()
    }
  }
}

/**
 * Like `body(inputs)`, where gradients that read the value get it from `inputs` again: it lives for as long as the caller holds it, and
 * then from the first of its readers in the backward pass to its own gradient. `inputs` names every tensor that needs a gradient; the
 * body must be a pure function of them. It is kept inside of `checkpoint`, where values live for the gradient of one layer, and on a GPU,
 * where one more launch costs more than the memory does.
 *
 * @example
 * const y = linear(x, recomputed(({ weight }) => fakeQuantBilevel(weight, attributes), { weight }))
 */
export const recomputed = <I extends Named>(body: (inputs: I) => Tensor, inputs: I): Tensor => {
  const tape = currentTape()
  const names = Object.keys(inputs)
  const operands = names.map((name) => inputs[name]!)
  const tracked = operands.map((tensor) => tape?.variableOf(tensor) !== undefined)
  const isOnGpu = operands[0]?.backend.kind === "gpujs"
  if (tape === undefined || tape.brief || isOnGpu || !tracked.includes(true)) return body(inputs)
  const output = noGrad(() => scope(() => body(inputs)))
  tape.recordRemade("recomputed", operands, output, (saved) =>
    remade(body, () => Object.fromEntries(names.map((name, index) => [name, saved()[index]!])) as I, tracked)
  )
  return output
}
