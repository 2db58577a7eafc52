/** Methods that choose codes themselves need quantizers whose codes can be chosen. */
import * as Effect from "effect/Effect"
import { RulesInvalid } from "../Errors.ts"
import { type PlannedLayers, quantizing } from "./plannedLayers.ts"

/** Fails with RulesInvalid when a quantizer has no grid to round on: now, and not when its block is reached. */
export const requireGrids = (method: string, { choices }: PlannedLayers): Effect.Effect<void, RulesInvalid> => {
  const without = [...quantizing(choices)].filter(([, { quantizer }]) => quantizer.grid === undefined)
  if (without.length === 0) return Effect.void
  const named = without.map(([layer, { quantizer }]) => `${layer} (${quantizer.id})`).join(", ")
  const reason = `${method} needs a quantizer with a grid, bilevel or uniform: ${named}`
  return Effect.fail(new RulesInvalid({ reason }))
}
