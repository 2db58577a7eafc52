/** Looks at weights before hours of work go into them: NaN, infinity, and numbers too large for the scales that will be stored. */
import { layerOf } from "@speedq/formats"
import { assertFinite, assertQuantizable, clippedWeight, type QuantizerChoice } from "@speedq/quantizers"
import { noGrad, type Parameters, scope } from "@speedq/tensors"
import type * as Effect from "effect/Effect"
import { type ComputeFailed, computing } from "../compute/computing.ts"

/**
 * Every weight must be finite, and one that a quantizer is chosen for must fit its scales once it is clipped to its range. Fails
 * with ComputeFailed of kind NonFiniteWeight or WeightTooLarge, which names the layer.
 */
export const requireQuantizable = (
  weights: Parameters,
  choices: ReadonlyMap<string, QuantizerChoice>,
  ranges?: Parameters
): Effect.Effect<void, ComputeFailed> =>
  computing(async () => {
    for (const [name, weight] of Object.entries(weights)) {
      const layer = layerOf(name)
      // Before clipping, which would hide what is no number.
      await assertFinite(layer, weight)
      const choice = choices.get(layer)
      if (choice === undefined) continue
      const clipped = noGrad(() => scope(() => clippedWeight(layer, weight, ranges)))
      try {
        await assertQuantizable(layer, clipped ?? weight, choice)
      } finally {
        clipped?.release()
      }
    }
  })
