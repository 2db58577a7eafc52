/** Tables for a terminal. */
import { printableLine } from "@speedq/formats"
import { displayWidth } from "effect/cli/CliOutput"
import { toned, untoned } from "./tones.ts"

export type Cell = string | number

const textOf = (cell: Cell): string =>
  typeof cell === "number" ? String(Number(cell.toPrecision(6))) : printableLine(cell)

const width = (text: string): number => displayWidth(untoned(text))

/** Columns of equal width, two spaces between; columns of numbers flush right. Their names stand out. */
export const textTable = (columns: readonly string[], rows: readonly (readonly Cell[])[]): string => {
  const lines = [columns, ...rows].map((row) => columns.map((_, at) => textOf(row[at] ?? "")))
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => width(line[at]!))))
  // A cell that begins with a digit is a number here, its unit or error after it.
  const numeric = columns.map(
    (_, at) => at > 0 && rows.every((row) => /^(|[-+]?\d.*)$/.test(untoned(textOf(row[at] ?? ""))))
  )
  const cell = (text: string, at: number) => {
    const space = " ".repeat(widths[at]! - width(text))
    return numeric[at] ? space + text : text + space
  }
  const [names = "", ...rest] = lines.map((line) => line.map(cell).join("  ").trimEnd())
  return [toned("strong", names), ...rest].join("\n")
}

const widthOf = (text: string): number => Math.max(...text.split("\n").map(width))

/** The table in parts that fit, each with as many columns as do beside the first. */
const inParts = (
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
  mostWide: number
): readonly string[] => {
  const partOf = (chosen: readonly number[]) =>
    textTable(
      [0, ...chosen].map((at) => columns[at] ?? ""),
      rows.map((row) => [0, ...chosen].map((at) => row[at] ?? ""))
    )
  const parts: number[][] = []
  for (let at = 1; at < columns.length; at++) {
    const last = parts.at(-1)
    if (last !== undefined && widthOf(partOf([...last, at])) <= mostWide) last.push(at)
    else parts.push([at])
  }
  return parts.length === 0 ? [textTable(columns, rows)] : parts.map(partOf)
}

/** The table, or with rows and columns exchanged where only that fits; where neither does, in parts, whichever way takes fewer. */
export const fittingTable = (
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
  columnsOfTerminal = process.stdout.columns ?? 120
): string => {
  const [corner = "", ...names] = columns
  const upright = inParts(columns, rows, columnsOfTerminal)
  if (upright.length === 1) return upright[0]!
  const turned = inParts(
    [corner, ...rows.map((row) => textOf(row[0] ?? ""))],
    names.map((name, at) => [name, ...rows.map((row) => row[at + 1] ?? "")]),
    columnsOfTerminal
  )
  const lines = (parts: readonly string[]) => parts.join("\n\n").split("\n").length
  const isTurned = turned.length === 1 || lines(turned) < lines(upright)
  return (isTurned ? turned : upright).join("\n\n")
}
