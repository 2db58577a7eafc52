/** The score files that VLMEvalKit writes beside the predictions, to the byte but for the order of splits, which it leaves to chance. */

import { type Row, splitOf } from "../data/Row.ts"
import { floatText } from "../internal/pythonNumber.ts"
import { abbreviated, groupBy, type Marks, type RowMark } from "./Marks.ts"

export interface ScoreFile {
  /** Name of the file after `{model}_{benchmark}_`: VLMEvalKit has `acc.csv`, `score.csv` and `score.json`. */
  readonly ending: string
  readonly text: string
}

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`

/** A number as pandas writes it, nothing for NaN. */
const cell = (value: number): string => (Number.isNaN(value) ? "" : floatText(value))

/** Rows of a CSV file as pandas writes it with every field quoted. */
export const csvText = (
  header: readonly string[],
  rows: readonly (readonly [name: string, ...numbers: readonly number[]])[]
): string =>
  [header, ...rows.map(([name, ...numbers]) => [name, ...numbers.map(cell)])]
    .map((cells) => `${cells.map(quoted).join(",")}\n`)
    .join("")

const share = (rows: readonly RowMark[]): number => rows.filter(({ hit }) => hit).length / rows.length

/** `acc.csv`: a row per split; shares of hits of all rows, of each level-2 category, of each category. */
export const accuracyFile = ({ rows }: Marks): ScoreFile => {
  const named = (key: (row: Row) => string | undefined) => groupBy(rows, key)
  const columns = [
    ["Overall", rows] as const,
    ...named((row) => row.cells.get("l2-category")).map(([name, group]) => [abbreviated(name), group] as const),
    ...named((row) => row.cells.get("category")).map(([name, group]) => [abbreviated(name), group] as const)
  ]
  const line = (split: string): readonly [string, ...number[]] => [
    split,
    ...columns.map(([, group]) => share(group.filter(({ row }) => splitOf(row) === split)))
  ]
  const splits = named(splitOf).map(([split]) => split)
  return { ending: "acc.csv", text: csvText(["split", ...columns.map(([name]) => name)], splits.map(line)) }
}
