/** Embedding and head after quantization: once, from the original weights (docs/method.md, "Embedding and head"). */
import { parameterOf } from "@speedq/formats"
import type { QuantizerChoice } from "@speedq/quantizers"
import { cast, noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"

/** Both matrices in f32, among parameters, in the caller's scope. */
export const quantizedEmbeddings = (weights: Parameters, choices: ReadonlyMap<string, QuantizerChoice>): Parameters =>
  noGrad(() =>
    Object.fromEntries(
      [...choices].map(([layer, { quantizer, config }]): readonly [string, Tensor] => {
        const parameter = parameterOf(layer)
        return [parameter, scope(() => quantizer.fakeQuantize(config, cast(weights[parameter]!, "f32")))]
      })
    )
  )
