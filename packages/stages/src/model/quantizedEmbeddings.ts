/** Embedding and head after quantization: once, from the original weights (docs/method.md, "Embedding and head"). */
import type { QuantizerChoice } from "@speedq/quantizers"
import { cast, noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import { parameterOf } from "@speedq/vlm-model"

/** Both matrices in f32, in the caller's scope. */
export const quantizedEmbeddings = (weights: Parameters, choices: ReadonlyMap<string, QuantizerChoice>): Parameters =>
  noGrad(() =>
    Object.fromEntries(
      [...choices].map(([layer, { quantizer, config }]): readonly [string, Tensor] => [
        parameterOf(layer),
        scope(() => quantizer.fakeQuantize(config, cast(weights[parameterOf(layer)]!, "f32")))
      ])
    )
  )
