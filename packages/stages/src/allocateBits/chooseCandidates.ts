/**
 * Which candidate each unit gets, so that the sum of their divergences is least and they fit a budget: a multiple-choice knapsack,
 * solved exactly by dynamic programming over the bits (docs/method.md, "Mixed precision under a budget").
 */

/** What a unit costs with one of its candidates. */
export interface Candidate {
  /** Of all its weights together; whole. */
  readonly bits: number
  readonly divergence: number
}

/** Bits of all units together, with the cheapest and with the dearest candidate of each. */
export const boundsOf = (units: readonly (readonly Pick<Candidate, "bits">[])[]) => ({
  least: units.reduce((sum, candidates) => sum + Math.min(...candidates.map(({ bits }) => bits)), 0),
  most: units.reduce((sum, candidates) => sum + Math.max(...candidates.map(({ bits }) => bits)), 0)
})

/** Places of the table, at most: where bits have a smaller common divisor, costs are rounded up to a place. */
const mostPlaces = 2 ** 16

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))

/**
 * The place of the chosen candidate of each unit, in order. Of equal sums the cheaper one. The sum is the least there is where the
 * bits above the cheapest candidates are at most 65,536 times their common divisor; elsewhere the choice may leave a share of
 * 1 / 65,536 of them unused for every unit. Throws where even the cheapest candidates do not fit.
 *
 * @example chooseCandidates([[{ bits: 20, divergence: 3 }, { bits: 40, divergence: 1 }]], 40) // [1]
 */
export const chooseCandidates = (units: readonly (readonly Candidate[])[], budget: number): readonly number[] => {
  const { least, most } = boundsOf(units)
  if (budget < least) throw new Error(`the cheapest candidates take ${least} bits, more than the budget of ${budget}`)
  const extras = units.map((candidates) => {
    const cheapest = Math.min(...candidates.map(({ bits }) => bits))
    return candidates.map(({ bits }) => bits - cheapest)
  })
  const room = Math.min(budget, most) - least
  const place = Math.max(1, extras.flat().reduce(commonDivisor, 0), Math.ceil(room / mostPlaces))
  const places = Math.floor(room / place) + 1

  /** Least sum of the units so far that take at most so many places. */
  let sums = new Float64Array(places)
  const picks = units.map((candidates, unit) => {
    const costs = extras[unit]!.map((extra) => Math.ceil(extra / place))
    const cheapestFirst = [...candidates.keys()].sort((a, b) => costs[a]! - costs[b]!)
    const next = new Float64Array(places).fill(Number.POSITIVE_INFINITY)
    const picked = new Uint16Array(places)
    for (const at of cheapestFirst) {
      const [cost, { divergence }] = [costs[at]!, candidates[at]!]
      for (let taken = cost; taken < places; taken++) {
        const sum = sums[taken - cost]! + divergence
        if (sum < next[taken]!) {
          next[taken] = sum
          picked[taken] = at
        }
      }
    }
    sums = next
    return { costs, picked }
  })

  let left = places - 1
  const chosen = picks.toReversed().map(({ costs, picked }) => {
    const at = picked[left]!
    left -= costs[at]!
    return at
  })
  return chosen.toReversed()
}
