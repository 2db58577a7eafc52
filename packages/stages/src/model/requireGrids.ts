/** Methods that choose codes themselves need quantizers whose codes can be chosen. */
import { noneQuantizer } from "@speedq/quantizers"
import * as Effect from "effect/Effect"
import { RulesInvalid } from "../Errors.ts"
import type { PlannedLayers } from "./plannedLayers.ts"

/** Fails with RulesInvalid when a quantizer has no grid to round on: now, and not when its block is reached. */
export const requireGrids = (method: string, { choices }: PlannedLayers): Effect.Effect<void, RulesInvalid> => {
  const without = [...choices].filter(
    ([
      ,
      {
        quantizer: { id, grid }
      }
    ]) => grid === undefined && id !== noneQuantizer.id
  )
  if (without.length === 0) return Effect.void
  const named = without.map(([layer, { quantizer }]) => `${layer} (${quantizer.id})`).join(", ")
  const reason = `${method} needs a quantizer with a grid, bilevel or uniform: ${named}`
  return Effect.fail(new RulesInvalid({ reason }))
}
