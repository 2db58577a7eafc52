/** JSON as Python writes it for a table: records, or columns; `NaN` and `Infinity` are numbers there. */
import { endOfText, parseJson } from "@speedq/formats"

interface JsonTable {
  readonly columns: readonly string[]
  /** The cells of the column at this place, undefined where there is none. */
  readonly column: (at: number) => readonly unknown[]
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Starts the text of a number; no text in a JSON file can start with it unescaped, and "1.0" stays apart from "1". */
export const numberMark = "\0number:"

const fromRecords = (records: readonly unknown[]): JsonTable => {
  const columns = new Set<string>()
  for (const [i, record] of records.entries()) {
    if (!isObject(record)) throw new SyntaxError(`record ${i + 1} is not an object`)
    for (const name of Object.keys(record)) columns.add(name)
  }
  const names = Array.from(columns)
  const cell = (record: object, name: string): unknown =>
    Object.hasOwn(record, name) ? (record as Readonly<Record<string, unknown>>)[name] : undefined
  // Only columns that are wanted are made: records that each have other names would make a table of their square.
  return { columns: names, column: (at) => records.map((record) => cell(record as object, names[at]!)) }
}

const fromColumns = (table: Readonly<Record<string, unknown>>): JsonTable => {
  const columns = Object.keys(table)
  // A column is a list, or an object from row label to value, as DataFrame.to_json writes it.
  const cells = columns.map((name) => {
    const column = table[name]
    if (Array.isArray(column)) return column as readonly unknown[]
    if (isObject(column)) return Object.values(column)
    throw new SyntaxError(`column "${name}" is neither a list nor an object`)
  })
  const height = cells[0]?.length ?? 0
  const uneven = cells.findIndex((column) => column.length !== height)
  if (uneven >= 0) throw new SyntaxError(`column "${columns[uneven]}" has ${cells[uneven]!.length} rows, not ${height}`)
  return { columns, column: (at) => cells[at]! }
}

/** What begins a text or a number. */
const token = /"|-?(?:NaN|Infinity|\d[\d.eE+-]*)/g

/** The JSON with a text behind {@link numberMark} for each number. Reads it once, whatever is in it. */
const withNumbersAsTexts = (text: string): string => {
  const pieces: string[] = []
  let from = 0
  token.lastIndex = 0
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const [word] = found
    if (word === '"') {
      token.lastIndex = endOfText(text, found.index)
      continue
    }
    pieces.push(text.slice(from, found.index), JSON.stringify(numberMark + word))
    from = token.lastIndex
  }
  pieces.push(text.slice(from))
  return pieces.join("")
}

/** Reads a table out of JSON; numbers come as their text behind {@link numberMark}. Throws SyntaxError. */
export const jsonTable = (text: string): JsonTable => {
  const value: unknown = parseJson(withNumbersAsTexts(text))
  if (Array.isArray(value)) return fromRecords(value)
  if (!isObject(value)) throw new SyntaxError("neither a list of records nor an object of columns")
  const { columns, data } = value
  if (Array.isArray(columns) && Array.isArray(data)) {
    const rows = data.map((row: unknown, i): readonly unknown[] => {
      if (!Array.isArray(row)) throw new SyntaxError(`row ${i + 1} of its data is not a list`)
      return row
    })
    return { columns: columns.map(String), column: (at) => rows.map((row) => row[at]) }
  }
  return fromColumns(value)
}
