/** A comparison of runs as tables: for the terminal and for the page. */
import type { Report } from "@speedq/pipeline"
import type { ComparedMeasure, Difference } from "@speedq/stages"
import type { RunComparison } from "./compareRuns.ts"

type Table = typeof Report.Table.Type

/** What differs in the recipes, above all; undefined where they are the same. */
export const settingsTable = ({ runs, settings }: RunComparison): Table | undefined =>
  settings.length === 0
    ? undefined
    : {
        _tag: "Table",
        title: "Settings that differ",
        columns: ["setting", ...runs],
        rows: settings.map(({ setting, values }) => [setting, ...values])
      }

/** A row a measure: its value in each run, and the differences from the first with their intervals. */
export const measureTable = ({ runs, measures }: RunComparison): Table => {
  const [first = "", ...others] = runs
  const names = others.length === 1 ? ["difference"] : others.map((name) => `${name} less ${first}`)
  return {
    _tag: "Table",
    title: "Results",
    columns: ["measure", ...runs, ...names],
    rows: measures.map((measure) => [
      measure.name,
      ...measure.values.map((value) => (value === null ? "-" : value.toFixed(measure.digits))),
      ...measure.differences.map((difference) => written(difference, measure))
    ]),
    note: noteOf(measures)
  }
}

const signed = (value: number, digits: number): string => {
  const text = value.toFixed(digits)
  return Number(text) > 0 ? `+${text}` : text.replace(/^-(0(\.0*)?)$/, "$1")
}

/** `-2.1 (-3.6 to -0.9) *`: with a star where zero is outside of the interval. */
const written = (difference: Difference | null, { digits }: ComparedMeasure): string => {
  if (difference === null) return "-"
  const { value, low, high } = difference
  if (low === undefined || high === undefined) return signed(value, digits)
  const sure = low > 0 || high < 0 ? " *" : ""
  return `${signed(value, digits)} (${signed(low, digits)} to ${signed(high, digits)})${sure}`
}

const noteOf = (measures: readonly ComparedMeasure[]): string => {
  const differences = measures.flatMap((measure) => measure.differences).filter((each) => each !== null)
  const sure = differences.filter(({ by }) => by !== undefined)
  if (sure.length === 0) return "No interval can be given: what the runs were measured on cannot be compared."
  const shares = sure.filter(({ by }) => by === "Newcombe")
  const paired = shares.every(({ paired }) => paired !== undefined)
  const how = paired
    ? "both runs answered the same questions, which are compared one by one"
    : "where runs answered the same questions, these are compared one by one"
  const newcombe = shares.length === 0 ? [] : [`of shares Newcombe's (${how})`]
  const bootstrap = sure.length === shares.length ? [] : ["of other numbers a paired bootstrap's of 2000 draws"]
  return `In brackets: 95 % intervals of a difference, ${[...newcombe, ...bootstrap].join(", ")}. A star marks one that does not hold zero. Intervals tell of these questions, not of other seeds.`
}
