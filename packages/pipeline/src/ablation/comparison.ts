/** What an ablation found, as a table: variants, their scores over the seeds, and their differences from the first variant. */
import type { Table, Text } from "../Report.ts"
import { divergenceOf, type Evaluation } from "../stages/evaluate/Evaluation.ts"
import { differsFromZero, type Estimate, estimate } from "./estimate.ts"

/** What one run scored. */
export interface Scored {
  readonly variant: string
  readonly seed: number
  readonly evaluation: Evaluation
}

/** A number that every run has: its name, how it reads, and how it is written. */
interface Measure {
  readonly name: string
  readonly of: (evaluation: Evaluation) => number | null
  readonly write: (value: number) => string
}

const measuresOf = ({ scores }: Evaluation): readonly Measure[] => [
  ...scores.map(
    ({ data }): Measure => ({
      name: data,
      of: (evaluation) => evaluation.scores.find((score) => score.data === data)?.overall ?? null,
      write: (value) => value.toFixed(1)
    })
  ),
  { name: "KL / token", of: divergenceOf, write: (value) => value.toPrecision(3) }
]

const valuesOf = (scored: readonly Scored[], variant: string, { of }: Measure): ReadonlyMap<number, number> =>
  new Map(
    scored.flatMap((run) => {
      const value = run.variant === variant ? of(run.evaluation) : null
      return value === null ? [] : [[run.seed, value] as const]
    })
  )

const estimateOf = (values: readonly number[]): Estimate | undefined =>
  values.length === 0 ? undefined : estimate(values)

/** A variant's difference from the first one, taken seed by seed; undefined where no seed has both. */
interface Difference {
  readonly variant: string
  readonly measure: Measure
  readonly found: Estimate | undefined
}

const differencesOf = (
  scored: readonly Scored[],
  first: string,
  others: readonly string[],
  measures: readonly Measure[]
): readonly Difference[] =>
  others.flatMap((variant) =>
    measures.map((measure) => {
      const base = valuesOf(scored, first, measure)
      const values = [...valuesOf(scored, variant, measure)].flatMap(([seed, value]) => {
        const other = base.get(seed)
        return other === undefined ? [] : [value - other]
      })
      return { variant, measure, found: estimateOf(values) }
    })
  )

const written = (found: Estimate | undefined, { write }: Measure, sign = ""): string => {
  if (found === undefined) return ""
  const mean = `${found.mean > 0 ? sign : ""}${write(found.mean)}`
  return found.standardError === undefined ? mean : `${mean} ± ${write(found.standardError)}`
}

/** One row a variant: means over seeds with their standard errors, then its differences from the first one. */
const comparisonTable = (
  title: string,
  variants: readonly string[],
  scored: readonly Scored[],
  measures: readonly Measure[],
  differences: readonly Difference[]
): typeof Table.Type => ({
  _tag: "Table",
  title,
  columns: [
    "variant",
    "seeds",
    ...measures.map(({ name }) => name),
    ...measures.map(({ name }) => `${name} against ${variants[0]}`)
  ],
  rows: variants.map((variant) => [
    variant,
    scored.filter((run) => run.variant === variant).length,
    ...measures.map((measure) => written(estimateOf([...valuesOf(scored, variant, measure).values()]), measure)),
    ...measures.map((measure) => {
      const difference = differences.find((each) => each.variant === variant && each.measure === measure)
      return written(difference?.found, measure, "+")
    })
  ])
})

/** Which differences are larger than chance explains, and which are not. */
const separation = (first: string, differences: readonly Difference[]): typeof Text.Type => {
  const listed = (chosen: readonly Difference[]) =>
    [...new Set(chosen.map(({ variant }) => variant))]
      .map((variant) => {
        const names = chosen.flatMap((each) => (each.variant === variant ? [each.measure.name] : []))
        return `${variant} (${names.join(", ")})`
      })
      .join("; ")
  const known = differences.flatMap(({ found, ...rest }) => (found === undefined ? [] : [{ ...rest, found }]))
  const apart = known.filter(({ found }) => differsFromZero(found))
  const close = known.filter(({ found }) => !differsFromZero(found))
  return {
    _tag: "Text",
    title: "What separates",
    paragraphs: [
      `A difference from ${first} counts where zero is outside of its 95 % confidence interval (Student's t over the seeds, differences taken seed by seed).`,
      apart.length === 0 ? `Nothing separates from ${first}.` : `Separates from ${first}: ${listed(apart)}.`,
      ...(close.length === 0 ? [] : [`Does not separate from ${first}: ${listed(close)}.`])
    ]
  }
}

export interface Comparison {
  readonly table: typeof Table.Type
  readonly separation: typeof Text.Type
}

/** Compares the variants with the first of them. */
export const compare = (title: string, variants: readonly string[], scored: readonly Scored[]): Comparison => {
  const [first = "", ...others] = variants
  const measures = scored[0] === undefined ? [] : measuresOf(scored[0].evaluation)
  const differences = differencesOf(scored, first, others, measures)
  return {
    table: comparisonTable(title, variants, scored, measures, differences),
    separation: separation(first, differences)
  }
}
