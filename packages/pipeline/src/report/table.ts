/** Tables, whose titles are their captions. */
import { formatNumber } from "../text/format.ts"
import { classes, empty, folded, type Html, html } from "./html.ts"
import type { Table } from "./Report.ts"

/** `12`, `0.5 ± 0.1`, `98.7 (96.6-99.5)`, `3.8 KiB`, `1.6 s`, `7/9`, `-`: what is compared down a column. */
const isQuantity = (value: string | number): boolean =>
  typeof value === "number" ||
  /^([+-]?\d[\d.,/]*(e[+-]?\d+)?( ?(±|%|[KMGT]?i?B|ms|s|min|h|d)\b.*| ?± .*| \([^a-z]*( to [^a-z]*)?\)( \*)?)?|-?)$/.test(
    value
  )

/** Whole numbers to the last digit, in groups of three; others to four significant digits. */
const cellText = (value: string | number): string => {
  if (typeof value === "string") return value
  return Number.isSafeInteger(value) ? value.toLocaleString("en-US") : formatNumber(value)
}

/** An interval in brackets is less than the number before it. */
const withInterval = (text: string): Html => {
  const [, value = text, interval = ""] = /^(\S+) (\([^a-z]*(?: to [^a-z]*)?\)(?: \*)?)$/.exec(text) ?? []
  return interval === "" ? html`${value}` : html`${value} <small>${interval}</small>`
}

/** Names of at most so many letters stay on one line. */
const longestName = 24
/** More rows than these are looked at through a window. */
const mostWhole = 30

/** More columns than these stand below each other where they are fewer so: pages are long, not wide. */
const mostBeside = 8

const turned = (table: typeof Table.Type): typeof Table.Type => {
  const { columns, rows, stale = [], emphasis: _, ...rest } = table
  if (columns.length <= mostBeside || rows.length >= columns.length || stale.length > 0) return table
  const [corner = "", ...names] = columns
  return {
    ...rest,
    columns: [corner, ...rows.map(([name = ""]) => cellText(name))],
    rows: names.map((name, index) => [name, ...rows.map((row) => row[index + 1] ?? "")])
  }
}

export const renderTable = (given: typeof Table.Type): Html => {
  const table = turned(given)
  const { title, columns, rows, stale = [], emphasis, note } = table
  const isNumeric = columns.map((_, column) => rows.length > 0 && rows.every((row) => isQuantity(row[column] ?? "")))
  const numberClass = (column: number) => classes(isNumeric[column] && "number")
  const named = rows.every(([name = ""]) => cellText(name).length <= longestName)
  const cell = (value: string | number, column: number) =>
    column === 0
      ? html`<th scope="row"${classes(isNumeric[0] && "number", named && "short")}>${cellText(value)}</th>`
      : html`<td${numberClass(column)}>${withInterval(cellText(value))}</td>`
  const rowClass = (row: number) => classes(stale.includes(row) && "stale", row === emphasis && "emphasis")
  const shape = classes("scroll", rows.length > mostWhole && "tall", columns.length > mostBeside && "wide")
  const caption = title === "" ? empty : html`<caption${classes(table.folded && "hidden")}>${title}</caption>`
  const whole = html`<div${shape} tabindex="0" role="group" aria-label="${title}"><table>${caption}
<thead><tr>${columns.map((column, index) => html`<th scope="col"${numberClass(index)}>${column}</th>`)}</tr></thead>
<tbody>${rows.map((row, index) => html`<tr${rowClass(index)}>${row.map(cell)}</tr>`)}</tbody></table></div>
${note === undefined ? empty : html`<p class="note">${note}</p>`}`
  return folded(table, whole)
}
