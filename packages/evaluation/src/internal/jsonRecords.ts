/** JSON as Python writes it for a table: records, or columns; `NaN` and `Infinity` are numbers there. */

type JsonTable = { readonly columns: readonly string[]; readonly rows: readonly (readonly unknown[])[] }

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
  return {
    columns: names,
    rows: records.map((record) => names.map((name) => (record as Record<string, unknown>)[name]))
  }
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
  return { columns, rows: Array.from({ length: height }, (_, i) => cells.map((column) => column[i])) }
}

/** What begins a text or a number, and what nests. */
const token = /["[\]{}]|-?(?:NaN|Infinity|\d[\d.eE+-]*)/g
const quoteOrEscape = /["\\]/g
const mostNested = 100

/** The place behind the quote that ends the text which begins at `start`. */
const endOfText = (text: string, start: number): number => {
  quoteOrEscape.lastIndex = start + 1
  for (let found = quoteOrEscape.exec(text); found !== null; found = quoteOrEscape.exec(text)) {
    if (found[0] === '"') return quoteOrEscape.lastIndex
    quoteOrEscape.lastIndex++
  }
  throw new SyntaxError(`the text that begins at character ${start + 1} has no end; is the file cut off?`)
}

/** The JSON with a text behind {@link numberMark} for each number. Reads it once, whatever is in it. */
const withNumbersAsTexts = (text: string): string => {
  const pieces: string[] = []
  let [from, nested] = [0, 0]
  token.lastIndex = 0
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const [word] = found
    if (word === '"') token.lastIndex = endOfText(text, found.index)
    else if (word === "[" || word === "{") nested++
    else if (word === "]" || word === "}") nested--
    else {
      pieces.push(text.slice(from, found.index), JSON.stringify(numberMark + word))
      from = token.lastIndex
    }
    if (nested > mostNested) throw new SyntaxError(`values are nested deeper than ${mostNested}`)
  }
  pieces.push(text.slice(from))
  return pieces.join("")
}

/** Reads a table out of JSON; numbers come as their text behind {@link numberMark}. Throws SyntaxError. */
export const jsonTable = (text: string): JsonTable => {
  const value: unknown = JSON.parse(withNumbersAsTexts(text))
  if (Array.isArray(value)) return fromRecords(value)
  if (!isObject(value)) throw new SyntaxError("neither a list of records nor an object of columns")
  const { columns, data } = value
  if (Array.isArray(columns) && Array.isArray(data)) {
    return { columns: columns.map(String), rows: data as readonly (readonly unknown[])[] }
  }
  return fromColumns(value)
}
