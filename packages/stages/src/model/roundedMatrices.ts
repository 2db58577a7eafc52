/** Matrices rounded to nearest by their quantizers, once, from the original weights: embedding and head (docs/method.md, "Embedding and head"), and what an allocation measures. */
import { parameterOf } from "@speedq/formats"
import type { QuantizerChoice } from "@speedq/quantizers"
import { cast, noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"

/** These matrices in f32, among parameters, in the caller's scope. */
export const roundedMatrices = (weights: Parameters, choices: ReadonlyMap<string, QuantizerChoice>): Parameters =>
  noGrad(() =>
    Object.fromEntries(
      [...choices].map(([layer, { quantizer, config }]): readonly [string, Tensor] => {
        const parameter = parameterOf(layer)
        return [parameter, scope(() => quantizer.fakeQuantize(config, cast(weights[parameter]!, "f32")))]
      })
    )
  )
