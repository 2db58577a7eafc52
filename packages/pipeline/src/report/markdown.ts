/** Tables as Markdown, to be pasted into pages that are written by hand. */
import type { Table } from "./Report.ts"

const line = (cells: readonly (string | number)[]): string =>
  `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`

/** A table under its title, with its note below. */
export const markdownTable = ({ title, columns, rows, note }: typeof Table.Type): string =>
  [
    `**${title}**`,
    "",
    line(columns),
    `|${columns.map(() => "---|").join("")}`,
    ...rows.map((row) => line(columns.map((_, at) => row[at] ?? ""))),
    ...(note === undefined ? [] : ["", note])
  ].join("\n")
