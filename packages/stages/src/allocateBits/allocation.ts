/** The budget of a recipe on the units of its model: what it leaves to choose, what was chosen, and what stands in the way. */
import { type Forecast, formatBytes } from "@speedq/pipeline"
import type { Choices } from "../model/plannedLayers.ts"
import { budgetBits } from "./budget.ts"
import { boundsOf, chooseCandidates } from "./chooseCandidates.ts"
import type { Unit } from "./units.ts"

export interface Room {
  readonly weights: number
  /** Bits that all units may take together, and that they take with their cheapest and their dearest candidates. */
  readonly budget: number
  readonly least: number
  readonly most: number
}

export const roomOf = (units: readonly Unit[], budget: string): Room => {
  const weights = units.reduce((sum, unit) => sum + unit.weights, 0)
  return { weights, budget: budgetBits(budget, weights), ...boundsOf(units.map(({ candidates }) => candidates)) }
}

/** `2.300 bits a weight (81.8 KB)` */
export const bitsText = (bits: number, weights: number): string =>
  `${(bits / weights).toFixed(3)} bits a weight (${formatBytes(bits / 8)})`

/** A budget that even the cheapest candidates exceed. */
export const budgetObstacles = ({ weights, budget, least }: Room): readonly Forecast.Obstacle[] =>
  budget >= least
    ? []
    : [
        {
          issue: `the budget of ${bitsText(budget, weights)} is below the cheapest candidates, which take ${bitsText(least, weights)}`,
          fix: `set budget to ${Math.ceil((1000 * least) / weights) / 1000} bits or more, or add a cheaper candidate`
        }
      ]

/** A budget that leaves nothing to choose. */
export const budgetWarnings = ({ weights, budget, most }: Room): readonly string[] =>
  budget > most
    ? [
        `the budget of ${bitsText(budget, weights)} is above the dearest candidates, which take ${bitsText(most, weights)}: it decides nothing; lower it, or add a dearer candidate`
      ]
    : []

/** Divergences of each unit with every candidate, in nats summed over tokens. */
export type Sensitivities = readonly (readonly number[])[]

/** The chosen candidate of each unit. */
export const allocate = (units: readonly Unit[], sensitivities: Sensitivities, { budget }: Room): readonly number[] =>
  chooseCandidates(
    units.map(({ candidates }, unit) =>
      candidates.map(({ bits }, at) => ({ bits, divergence: sensitivities[unit]![at]! }))
    ),
    budget
  )

/** The quantizer of each layer. */
export const choicesOfUnits = (units: readonly Unit[], chosen: readonly number[]): Choices =>
  new Map(units.flatMap(({ candidates }, unit) => [...candidates[chosen[unit]!]!.choices]))
