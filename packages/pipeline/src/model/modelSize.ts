/** Size of a model as it would be shipped: packed weights as they are, everything else in 16 bits. */
import { sizeOf } from "@speedq/tensors"
import type { DeployedModel } from "./deployedModel.ts"

export const modelSize = ({
  packed,
  others
}: DeployedModel): { readonly bytes: number; readonly bitsPerParameter: number } => {
  const quantized = [...packed.values()]
  const plain = Object.values(others).reduce((sum, { size }) => sum + size, 0)
  const bytes = quantized.reduce((sum, weight) => sum + weight.bytes, 2 * plain)
  const parameters = quantized.reduce((sum, { shape }) => sum + sizeOf(shape), plain)
  return { bytes, bitsPerParameter: (8 * bytes) / parameters }
}
