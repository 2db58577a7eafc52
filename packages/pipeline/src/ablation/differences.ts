/** How far each variant of an ablation is from the one that it is compared with, and what of that is more than chance. */
import type { Table, Text } from "../report/Report.ts"
import type { Variant } from "./Ablation.ts"
import { differsFromZero, type Estimate, estimateOf } from "./estimate.ts"
import { type Measure, type Scored, valuesOf, written } from "./measures.ts"

/** A variant's difference from another; undefined where no seed has both. */
interface Difference<Result> {
  readonly variant: string
  readonly against: string
  readonly measure: Measure<Result>
  readonly found: Estimate | undefined
}

/**
 * Values less others, seed by seed. What no seed changes has its value for every seed: the mean is that of the differences from it, and
 * the standard error that of the side which varies.
 */
const lessSeedBySeed = (
  own: ReadonlyMap<number, number>,
  isRandom: boolean,
  other: ReadonlyMap<number, number>,
  isOtherRandom: boolean
): readonly number[] => {
  const [fixed] = isRandom ? [] : own.values()
  const [otherFixed] = isOtherRandom ? [] : other.values()
  const seeds = isRandom ? own.keys() : other.keys()
  return [...seeds].flatMap((seed) => {
    const [value, from] = [fixed ?? own.get(seed), otherFixed ?? other.get(seed)]
    return value === undefined || from === undefined ? [] : [value - from]
  })
}

export const differencesOf = <Result>(
  variants: readonly Variant[],
  scored: readonly Scored<Result>[],
  measures: readonly Measure<Result>[]
): readonly Difference<Result>[] =>
  variants.flatMap(({ name, against, random }) => {
    const other = variants.find((each) => each.name === against)
    if (other === undefined) return []
    return measures.map((measure) => {
      const [own, from] = [name, other.name].map((variant) => valuesOf(scored, variant, measure))
      const found = estimateOf(lessSeedBySeed(own!, random, from!, other.random))
      return { variant: name, against: other.name, measure, found }
    })
  })

/** One row a variant that is compared with another; no table where nothing is compared. */
export const differenceTable = <Result>(
  variants: readonly Variant[],
  measures: readonly Measure<Result>[],
  differences: readonly Difference<Result>[]
): readonly (typeof Table.Type)[] => {
  const compared = variants.filter(({ against }) => against !== undefined)
  if (compared.length === 0 || measures.length === 0) return []
  const cell = (variant: string, measure: Measure<Result>) =>
    written(differences.find((each) => each.variant === variant && each.measure === measure)?.found, measure, "+")
  return [
    {
      _tag: "Table",
      title: "Differences",
      columns: ["variant", "against", ...measures.map(({ name }) => name)],
      rows: compared.map(({ name, against = "" }) => [name, against, ...measures.map((measure) => cell(name, measure))])
    }
  ]
}

const listed = (chosen: readonly Difference<never>[]): string =>
  [...new Set(chosen.map(({ variant }) => variant))]
    .map((variant) => {
      const names = chosen.flatMap((each) => (each.variant === variant ? [each.measure.name] : []))
      return `${variant} (${names.join(", ")})`
    })
    .join("; ")

/** What is said of the variants that are compared with one. */
const saidOf = (against: string, differences: readonly Difference<never>[]): readonly string[] => {
  const known = differences.flatMap(({ found, ...rest }) => (found === undefined ? [] : [{ ...rest, found }]))
  const apart = known.filter(({ found }) => differsFromZero(found))
  const single = known.filter(({ found }) => found.standardError === undefined)
  const close = known.filter((each) => !apart.includes(each) && !single.includes(each))
  return [
    ...(apart.length === 0 ? [] : [`Separates from ${against}: ${listed(apart)}.`]),
    ...(apart.length === 0 && close.length > 0 ? [`Nothing separates from ${against}.`] : []),
    ...(close.length === 0 ? [] : [`Does not separate from ${against}: ${listed(close)}.`]),
    ...(single.length === 0
      ? []
      : [`A single difference from ${against}, which says nothing about chance: ${listed(single)}.`])
  ]
}

/** Which differences are larger than chance explains, and which are not. */
export const separation = (
  variants: readonly Variant[],
  differences: readonly Difference<never>[]
): typeof Text.Type => {
  const fixed = variants.some(({ random }) => !random)
  const groups = [...new Set(variants.flatMap(({ against }) => against ?? []))]
  const rule = [
    "A difference counts where zero is outside of its 95 % confidence interval (Student's t over the seeds, differences taken seed by seed). By chance alone, one in twenty would.",
    ...(fixed ? ["A variant without randomness has the same result for every seed."] : [])
  ]
  return {
    _tag: "Text",
    title: "What separates",
    paragraphs: [
      rule.join(" "),
      ...groups.flatMap((against) =>
        saidOf(
          against,
          differences.filter((each) => each.against === against)
        )
      )
    ]
  }
}
