/** What a method made of the output of a layer, beside what rounding to nearest does. */
import type { InputSum, QuantizerChoice } from "@speedq/quantizers"
import { noGrad, scope, type Tensor } from "@speedq/tensors"
import { outputError } from "./outputError.ts"
import type { LayerRow } from "./PosttrainingState.ts"

interface Quantized {
  readonly layer: string
  readonly choice: QuantizerChoice
  /** f32, as in the original model. */
  readonly weight: Tensor
  readonly hessian: InputSum
}

/** Errors of a layer; `made` gives the weight that the method gave it, as the layer's own inputs meet it, in the caller's scope. */
export const layerErrors = async (
  { layer, choice, weight, hessian }: Quantized,
  made: () => Tensor
): Promise<LayerRow> => {
  const errorOf = async (changed: () => Tensor): Promise<number> => {
    const other = noGrad(() => scope(changed))
    return await outputError(weight, other, hessian).finally(() => other.release())
  }
  return {
    layer,
    nearest: await errorOf(() => choice.quantizer.fakeQuantize(choice.config, weight)),
    quantized: await errorOf(made)
  }
}
