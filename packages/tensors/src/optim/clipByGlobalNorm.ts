/** Clipping by the norm of all gradients together, without reading anything back. */
import { MissingOperand } from "../core/Errors.ts"
import { type Tensor, zeros } from "../core/Tensor.ts"
import { clipFactor, type Guards } from "../kernels/clipFactor.ts"
import { sumSquaresInto } from "../kernels/sumSquaresInto.ts"
import { scope } from "../memory/scope.ts"

/**
 * norm [1] of all gradients, and factor [1] = min(1, maxNorm / (norm + 1e-6)) for an optimizer's `factor`.
 * factor = -1, which an optimizer takes no step with, where the norm or a loss [1] is not finite, or `before`, the factor of the last
 * step, was -1. The gradients themselves are left as they are. Raises MissingOperand when there are none.
 */
export const clipByGlobalNorm = (
  gradients: { readonly [name: string]: Tensor },
  maxNorm: number,
  guards?: Guards
): { readonly norm: Tensor; readonly factor: Tensor } =>
  scope(() => {
    const [first, ...rest] = Object.values(gradients)
    if (first === undefined) throw new MissingOperand("clipByGlobalNorm", "gradients")
    const total = zeros(first.backend, [1])
    for (const gradient of [first, ...rest]) sumSquaresInto(total, gradient)
    return clipFactor(total, maxNorm, guards)
  })
