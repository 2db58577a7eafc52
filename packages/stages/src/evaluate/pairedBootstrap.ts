/**
 * How sure a difference of two numbers is that are no plain shares: a paired bootstrap (Efron and Tibshirani, An Introduction to the
 * Bootstrap, 1993, chapter 13). What both were measured on is drawn again with replacement, the same for both, and the 95 % interval is
 * that between the 2.5 % and the 97.5 % percentiles of the differences.
 */
import { Random } from "@speedq/tensors"
import { type Measured, numberOver } from "./Measured.ts"

const draws = 2000
const seed = 1
/** Fewer units say too little about what others would have been. */
const fewestUnits = 10

/** A number of two models, over the same units. */
interface Pair {
  readonly first: Measured
  readonly second: Measured
}

interface Ends {
  readonly low: number
  readonly high: number
}

/** Units of both, in one order; undefined where they are not the same, or too few. */
const sameUnits = ({ first, second }: Pair): readonly string[] | undefined => {
  const names = [...first.units.keys()]
  const isSame = names.length === second.units.size && names.every((name) => second.units.has(name))
  return isSame && names.length >= fewestUnits ? names : undefined
}

/**
 * The interval of the mean, over `pairs`, of the second number less the first; undefined where two were not measured on the same
 * units. Each pair is drawn by itself. The draws are those of a fixed seed: the same results have the same interval.
 */
export const pairedBootstrap = (pairs: readonly Pair[]): Ends | undefined => {
  const names = pairs.map(sameUnits)
  if (pairs.length === 0 || names.includes(undefined)) return undefined
  const random = Random.make(seed, "paired bootstrap")
  const units = pairs.map(({ first, second }, at) => ({
    first: names[at]!.map((name) => first.units.get(name)!),
    second: names[at]!.map((name) => second.units.get(name)!)
  }))
  const differences = Float64Array.from({ length: draws }, () => {
    const each = pairs.map((pair, at) => {
      const { first, second } = units[at]!
      const drawn = Int32Array.from(first, () => Math.floor((random.nextUint32() / 2 ** 32) * first.length))
      return numberOver(pair.second, second, drawn) - numberOver(pair.first, first, drawn)
    })
    return each.reduce((sum, difference) => sum + difference, 0) / each.length
  }).sort()
  const percentile = (part: number) => differences[Math.round(part * (draws - 1))]!
  return { low: percentile(0.025), high: percentile(0.975) }
}
