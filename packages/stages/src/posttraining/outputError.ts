/** How far a changed weight moves the output of its Linear. */
import type { InputSum } from "@speedq/quantizers"
import { add, matmul, multiply, noGrad, scale, scope, sum, type Tensor } from "@speedq/tensors"

/** Mean squared error of an output of a Linear [N, K] whose weight is another: tr(D X^T X D^T) / (tokens N), D their difference. */
export const outputError = async (
  weight: Tensor,
  changed: Tensor,
  { sum: moments, tokens }: InputSum
): Promise<number> => {
  const error = noGrad(() =>
    scope(() => {
      const difference = add(changed, scale(weight, -1))
      return sum(multiply(matmul(difference, moments, false, false, "f32"), difference))
    })
  )
  const total = await error.item()
  error.release()
  return total / (tokens * weight.shape[0]!)
}
