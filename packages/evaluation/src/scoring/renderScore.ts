/** A score as a table for a terminal. */

import { printableLine } from "@speedq/formats"
import type { Mark } from "./Marks.ts"
import type { Score } from "./Score.ts"

// Characters that a terminal draws two columns wide: Hangul, CJK, full-width forms, pictographs.
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

const widthOf = (text: string): number => {
  let width = 0
  for (const character of text) width += wide.test(character) ? 2 : 1
  return width
}

const padded = (text: string, width: number, right: boolean): string => {
  const fill = " ".repeat(Math.max(0, width - widthOf(text)))
  return right ? fill + text : text + fill
}

/** Columns as wide as their widest cell; the first column to the left, the others to the right. */
const columns = (rows: readonly (readonly string[])[]): readonly string[] => {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => widthOf(row[i] ?? ""))))
  return rows.map((row) =>
    row
      .map((cell, i) => padded(cell, widths[i]!, i > 0))
      .join("  ")
      .trimEnd()
  )
}

const number = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? "-" : value.toFixed(2)
const error = ({ standardError }: Mark): string => (standardError === undefined ? "" : `± ${number(standardError)}`)

/**
 * The number to report, then a line per split and per category. Lines end without a line end.
 *
 * ```
 * MMStar  62.53 %  (split none, 1500 of 1500 rows, matcher 2025-08)
 * ```
 */
export const renderScore = (score: Score): string => {
  const unit = score.unit === "points" ? "points" : "%"
  const { answered, rows, missing } = score.counts
  const where = score.reported === "all" ? "all splits" : `split ${score.reported}`
  const title = `${score.benchmark}  ${number(score.overall)} ${unit}  (${where}, ${answered} of ${rows} rows, matcher ${score.matcher})`
  const marks = Object.entries(score.splits).flatMap(([split, mark]) => [
    [split, mark] as const,
    ...Object.entries(score.categories[split] ?? {}).map(([name, sub]) => [`  ${name}`, sub] as const)
  ])
  const parts = Array.from(new Set(marks.flatMap(([, mark]) => Object.keys(mark.parts ?? {}))))
  const errors = marks.some(([, mark]) => mark.standardError !== undefined)
  const header = ["split, category", "score", ...(errors ? ["error"] : []), ...parts, "rows"]
  const body = marks.map(([name, mark]) => [
    printableLine(name),
    number(mark.score),
    ...(errors ? [error(mark)] : []),
    ...parts.map((part) => (mark.parts?.[part] === undefined ? "" : number(mark.parts[part]))),
    String(mark.rows)
  ])
  const some = missing === 1 ? "1 row has no prediction and is" : `${missing} rows have no prediction and are`
  const left = missing === 0 ? [] : [`${some} in no denominator`]
  return [printableLine(title), ...left, "", ...columns([header, ...body])].join("\n")
}
