/** The result of marking rows: one mark per row, and their summaries by split and category. */
import { type Row, splitOf } from "../data/Row.ts"

/** A summary of rows. */
export interface Mark {
  /** Percent, or points where the benchmark counts points. */
  readonly score: number
  readonly rows: number
  /** Of an accuracy in percent: 100 sqrt(p (1 - p) / rows). */
  readonly standardError?: number
  /** The parts of a composed score, by the benchmark's own names. */
  readonly parts?: Readonly<Record<string, number>>
}

export interface RowMark {
  readonly row: Row
  readonly prediction: string
  /** What the matcher read in the prediction. */
  readonly extracted: string
  readonly expected: string
  readonly hit: boolean
}

export interface Marks {
  readonly whole: Mark
  readonly splits: Readonly<Record<string, Mark>>
  /** Split, then category. A category that a split does not have is absent there. */
  readonly categories: Readonly<Record<string, Readonly<Record<string, Mark>>>>
  readonly rows: readonly RowMark[]
}

/** Share of hits in percent with its standard error; NaN of no rows. */
export const accuracy = (rows: readonly RowMark[]): Mark => {
  const share = rows.filter((row) => row.hit).length / rows.length
  return { score: 100 * share, rows: rows.length, standardError: 100 * Math.sqrt((share * (1 - share)) / rows.length) }
}

// VLMEvalKit's column names for MMBench's level-2 categories; other names stay.
const abbreviations = new Map([
  ["coarse_perception", "CP"],
  ["finegrained_perception (instance-level)", "FP-S"],
  ["finegrained_perception (cross-instance)", "FP-C"],
  ["logic_reasoning", "LR"],
  ["relation_reasoning", "RR"],
  ["attribute_reasoning", "AR"]
])

/** A category's name in tables. */
export const abbreviated = (category: string): string => abbreviations.get(category) ?? category

// Code point order, as Python sorts; UTF-16 order differs above U+FFFF.
const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** Groups by a key, keys in code point order; rows without a key are left out. */
export const groupBy = (
  rows: readonly RowMark[],
  key: (row: Row) => string | undefined
): readonly (readonly [string, readonly RowMark[]])[] => {
  const groups = new Map<string, RowMark[]>()
  for (const mark of rows) {
    const name = key(mark.row)
    if (name === undefined) continue
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [mark])
    else group.push(mark)
  }
  return Array.from(groups).sort(([a], [b]) => byCodePoint(a, b))
}

/** Summaries of the whole, of every split, and in each split of every level-2 category and category. */
export const summarize = (rows: readonly RowMark[], mark: (rows: readonly RowMark[]) => Mark): Marks => {
  const splits = groupBy(rows, splitOf)
  const categoriesOf = (members: readonly RowMark[]) =>
    ["l2-category", "category"].flatMap((column) =>
      groupBy(members, (row) => row.cells.get(column)).map(([name, group]) => [abbreviated(name), mark(group)] as const)
    )
  return {
    whole: mark(rows),
    splits: Object.fromEntries(splits.map(([name, members]) => [name, mark(members)])),
    categories: Object.fromEntries(splits.map(([name, members]) => [name, Object.fromEntries(categoriesOf(members))])),
    rows
  }
}
