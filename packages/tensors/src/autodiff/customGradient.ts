/** A function with a gradient of its own, for what is computed better in one pass than by the chain rule over kernels. */
import type { Tensor } from "../core/Tensor.ts"
import { currentTape, noGrad } from "./Tape.ts"

export interface CustomResult<T extends readonly Tensor[]> {
  readonly outputs: T
  /** Tensors that `backward` reads; kept alive until then. */
  readonly saved: readonly Tensor[]
  /** Gradients of the inputs, in order, from those of the outputs (undefined where an output was not used). */
  readonly backward: (
    cotangents: readonly (Tensor | undefined)[],
    saved: readonly Tensor[]
  ) => readonly (Tensor | undefined)[]
}

/**
 * Runs `forward` without recording it and records its own `backward` instead. `forward` hears which inputs
 * need a gradient, so that it computes none in vain.
 */
export const customGradient = <T extends readonly Tensor[]>(
  name: string,
  inputs: readonly Tensor[],
  forward: (wanted: readonly boolean[]) => CustomResult<T>
): T => {
  const tape = currentTape()
  const { outputs, saved, backward } = noGrad(() =>
    forward(inputs.map((input) => tape?.variableOf(input) !== undefined))
  )
  tape?.record(name, inputs, outputs, saved, (cotangents, kept) => backward(cotangents, kept as readonly Tensor[]))
  return outputs
}
