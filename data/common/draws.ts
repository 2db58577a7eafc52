/** Draws from lists, made of the whole numbers of a seeded stream. */
import type { Random } from "@speedq/tensors"

/** True with probability `numerator / denominator`. */
export const chance = (random: Random, numerator: number, denominator: number): boolean =>
  random.nextInteger(denominator) < numerator

/** One element of a list that is not empty. */
export const pick = <A>(random: Random, items: ReadonlyArray<A>): A => items[random.nextInteger(items.length)]!

/** The index of one of `weights` (whole numbers), in proportion to it. */
export const weighted = (random: Random, weights: ReadonlyArray<number>): number => {
  let rest = random.nextInteger(weights.reduce((sum, weight) => sum + weight, 0))
  return weights.findIndex((weight) => (rest -= weight) < 0)
}

/** A shuffled copy. */
export const shuffle = <A>(random: Random, items: ReadonlyArray<A>): Array<A> =>
  Array.from(random.permutation(items.length), (index) => items[index]!)
