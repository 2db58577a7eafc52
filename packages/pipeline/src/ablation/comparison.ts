/** What an ablation found, as tables: variants with their scores over the seeds and the time that they took, and their differences. */
import type { Table, Text } from "../report/Report.ts"
import { formatDuration } from "../text/format.ts"
import type { Variant } from "./Ablation.ts"
import { differencesOf, differenceTable, separation } from "./differences.ts"
import { estimateOf } from "./estimate.ts"
import { type Measure, type Scored, valuesOf, written } from "./measures.ts"

/** A variant's mean over the seeds; where nothing can vary over them, there is no standard error to show. */
const meanOf = <Result>(scored: readonly Scored<Result>[], variant: string, measure: Measure<Result>): string => {
  const found = estimateOf([...valuesOf(scored, variant, measure).values()])
  const exact = measure.fixed === true && found?.standardError === 0
  return written(exact ? { ...found, standardError: undefined } : found, measure)
}

/** The mean of the times that are known; nothing where none is. */
const timeOf = <Result>(scored: readonly Scored<Result>[], variant: string): string => {
  const times = scored.flatMap((run) => (run.variant === variant ? (run.milliseconds ?? []) : []))
  const found = estimateOf(times)
  return found === undefined ? "" : formatDuration(found.mean)
}

/** One row a variant: means over seeds with their standard errors, and the mean of the time that its stages took. */
const meanTable = <Result>(
  title: string,
  variants: readonly Variant[],
  scored: readonly Scored<Result>[],
  measures: readonly Measure<Result>[]
): typeof Table.Type => ({
  _tag: "Table",
  title,
  columns: ["variant", "seeds", ...measures.map(({ name }) => name), "time"],
  rows: variants.map(({ name }) => [
    name,
    scored.filter((run) => run.variant === name).length,
    ...measures.map((measure) => meanOf(scored, name, measure)),
    timeOf(scored, name)
  ])
})

export interface Comparison {
  /** Means, then differences where there is more than one variant. */
  readonly tables: readonly (typeof Table.Type)[]
  readonly separation: typeof Text.Type
}

/** Compares each variant with the one that it is to be compared with. */
export const compare = <Result>(
  title: string,
  variants: readonly Variant[],
  scored: readonly Scored<Result>[],
  measures: readonly Measure<Result>[]
): Comparison => {
  const compared = measures.filter(({ fixed }) => fixed !== true)
  const differences = differencesOf(variants, scored, compared)
  return {
    tables: [meanTable(title, variants, scored, measures), ...differenceTable(variants, compared, differences)],
    separation: separation(variants, differences)
  }
}
