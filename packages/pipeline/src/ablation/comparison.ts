/** What an ablation found, as a table: variants, their scores over the seeds, and their differences from the first variant. */
import type { Table, Text } from "../report/Report.ts"
import { differsFromZero, type Estimate, estimate } from "./estimate.ts"

/** What one run gave. */
export interface Scored<Result> {
  readonly variant: string
  readonly seed: number
  readonly result: Result
}

/** A number that every run has: its name, how it is read, and how it is written. */
export interface Measure<Result> {
  readonly name: string
  readonly of: (result: Result) => number | null
  readonly write: (value: number) => string
  /** Follows from the variant alone, as its size does: no difference from the first variant is taken. */
  readonly fixed?: boolean
}

const compared = <Result>(measures: readonly Measure<Result>[]): readonly Measure<Result>[] =>
  measures.filter(({ fixed }) => fixed !== true)

const valuesOf = <Result>(
  scored: readonly Scored<Result>[],
  variant: string,
  { of }: Measure<Result>
): ReadonlyMap<number, number> =>
  new Map(
    scored.flatMap((run) => {
      const value = run.variant === variant ? of(run.result) : null
      return value === null ? [] : [[run.seed, value] as const]
    })
  )

const estimateOf = (values: readonly number[]): Estimate | undefined =>
  values.length === 0 ? undefined : estimate(values)

/** A variant's difference from the first one, taken seed by seed; undefined where no seed has both. */
interface Difference<Result> {
  readonly variant: string
  readonly measure: Measure<Result>
  readonly found: Estimate | undefined
}

const differencesOf = <Result>(
  scored: readonly Scored<Result>[],
  first: string,
  others: readonly string[],
  measures: readonly Measure<Result>[]
): readonly Difference<Result>[] =>
  others.flatMap((variant) =>
    compared(measures).map((measure) => {
      const base = valuesOf(scored, first, measure)
      const values = [...valuesOf(scored, variant, measure)].flatMap(([seed, value]) => {
        const other = base.get(seed)
        return other === undefined ? [] : [value - other]
      })
      return { variant, measure, found: estimateOf(values) }
    })
  )

const written = (found: Estimate | undefined, { write }: Pick<Measure<never>, "write">, sign = ""): string => {
  if (found === undefined) return ""
  const mean = `${found.mean > 0 ? sign : ""}${write(found.mean)}`
  return found.standardError === undefined ? mean : `${mean} ± ${write(found.standardError)}`
}

/** A variant's mean over the seeds; where nothing can vary over them, there is no standard error to show. */
const meanOf = <Result>(scored: readonly Scored<Result>[], variant: string, measure: Measure<Result>): string => {
  const found = estimateOf([...valuesOf(scored, variant, measure).values()])
  const exact = measure.fixed === true && found?.standardError === 0
  return written(exact ? { ...found, standardError: undefined } : found, measure)
}

/** One row a variant: means over seeds with their standard errors, then its differences from the first one. */
const comparisonTable = <Result>(
  title: string,
  variants: readonly string[],
  scored: readonly Scored<Result>[],
  measures: readonly Measure<Result>[],
  differences: readonly Difference<Result>[]
): typeof Table.Type => ({
  _tag: "Table",
  title,
  columns: [
    "variant",
    "seeds",
    ...measures.map(({ name }) => name),
    ...compared(measures).map(({ name }) => `${name} against ${variants[0]}`)
  ],
  rows: variants.map((variant) => [
    variant,
    scored.filter((run) => run.variant === variant).length,
    ...measures.map((measure) => meanOf(scored, variant, measure)),
    ...compared(measures).map((measure) => {
      const difference = differences.find((each) => each.variant === variant && each.measure === measure)
      return written(difference?.found, measure, "+")
    })
  ])
})

/** Which differences are larger than chance explains, and which are not. */
const separation = <Result>(first: string, differences: readonly Difference<Result>[]): typeof Text.Type => {
  const listed = (chosen: readonly Difference<Result>[]) =>
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
export const compare = <Result>(
  title: string,
  variants: readonly string[],
  scored: readonly Scored<Result>[],
  measures: readonly Measure<Result>[]
): Comparison => {
  const [first = "", ...others] = variants
  const differences = differencesOf(scored, first, others, measures)
  return {
    table: comparisonTable(title, variants, scored, measures, differences),
    separation: separation(first, differences)
  }
}
