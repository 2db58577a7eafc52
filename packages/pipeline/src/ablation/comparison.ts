/** Scores of several variants over several seeds: means, standard errors, and differences from the first variant. */
import type { Section } from "../Report.ts"
import { divergenceOf, type Evaluation } from "../stages/evaluate/Evaluation.ts"

/** What one run scored. */
export interface Scored {
  readonly variant: string
  readonly seed: number
  readonly evaluation: Evaluation
}

/** A mean over seeds; its standard error is undefined for a single seed. */
export interface Estimate {
  readonly mean: number
  readonly standardError: number | undefined
}

export const estimate = (values: readonly number[]): Estimate => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  if (values.length < 2) return { mean, standardError: undefined }
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  return { mean, standardError: Math.sqrt(variance / values.length) }
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

const written = ({ mean, standardError }: Estimate, { write }: Measure): string =>
  standardError === undefined ? write(mean) : `${write(mean)} ± ${write(standardError)}`

/** A difference is taken seed by seed; one of less than two standard errors separates nothing. */
const difference = (found: Estimate, measure: Measure): string => {
  const sign = found.mean > 0 ? "+" : ""
  if (found.standardError === undefined) return `${sign}${measure.write(found.mean)}`
  const separates = Math.abs(found.mean) > 2 * found.standardError
  return `${sign}${written(found, measure)}${separates ? "" : " (does not separate)"}`
}

/** The table of an ablation: a row a variant, means over seeds with their standard errors, then differences from the first. */
export const comparisonTable = (name: string, variants: readonly string[], scored: readonly Scored[]): Section => {
  const [first] = variants
  const measures = scored[0] === undefined ? [] : measuresOf(scored[0].evaluation)
  const runsOf = (variant: string | undefined) => scored.filter((run) => run.variant === variant)
  const valuesOf = (variant: string | undefined, { of }: Measure) =>
    new Map(
      runsOf(variant).flatMap(({ seed, evaluation }) => {
        const value = of(evaluation)
        return value === null ? [] : [[seed, value] as const]
      })
    )
  const differences = (variant: string, measure: Measure): readonly number[] => {
    const base = valuesOf(first, measure)
    return [...valuesOf(variant, measure)].flatMap(([seed, value]) => {
      const other = base.get(seed)
      return other === undefined ? [] : [value - other]
    })
  }
  const cell = (values: readonly number[], text: (found: Estimate) => string) =>
    values.length === 0 ? "" : text(estimate(values))
  return {
    _tag: "Table",
    title: name,
    columns: [
      "variant",
      "seeds",
      ...measures.map((measure) => measure.name),
      ...measures.map((measure) => `${measure.name} against ${first}`)
    ],
    rows: variants.map((variant) => [
      variant,
      runsOf(variant).length,
      ...measures.map((measure) => cell([...valuesOf(variant, measure).values()], (found) => written(found, measure))),
      ...measures.map((measure) =>
        variant === first ? "" : cell(differences(variant, measure), (found) => difference(found, measure))
      )
    ])
  }
}
