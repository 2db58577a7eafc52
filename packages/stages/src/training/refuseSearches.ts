/** Training quantizes its weights in every step: a quantizer that searches for its grids would take far longer than the step. */
import type { QuantizerChoice } from "@speedq/quantizers"
import * as Effect from "effect/Effect"
import { RulesInvalid } from "../Errors.ts"

/** Fails with RulesInvalid, before any work, where a layer that is fake-quantized has a quantizer that searches. */
export const refuseSearches = (choices: ReadonlyMap<string, QuantizerChoice>): Effect.Effect<void, RulesInvalid> => {
  const searching = [...choices].filter(([, { quantizer, config }]) => quantizer.searches?.(config) === true)
  const [first] = searching
  if (first === undefined) return Effect.void
  const [layer, { quantizer }] = first
  const reason = `training quantizes every weight in every step, and the quantizers of ${searching.length} layers search for their ranges, the first of them ${layer} ("${quantizer.id}" with range "mse"); that takes hundreds of times as long as rounding. Give these layers the range "minmax" and put the stage autoclip before, which searches once`
  return Effect.fail(new RulesInvalid({ reason }))
}
