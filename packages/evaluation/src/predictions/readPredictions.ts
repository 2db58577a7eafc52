/** Reading predictions files as pandas would: numbers printed as Python does, missing predictions become `nan`. */
import { mostBytes, readBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { readXlsx } from "hucre/xlsx"
import { ColumnMissing, RowInvalid, TableInvalid } from "../Errors.ts"
import { jsonTable, numberMark } from "../internal/jsonRecords.ts"
import { typeColumn } from "../internal/pandasColumn.ts"
import { floatText } from "../internal/pythonNumber.ts"
import { readRawTable } from "../internal/rawTable.ts"
import { checkWorkbook } from "./checkWorkbook.ts"
import { askedColumns, type Prediction } from "./Prediction.ts"
import { predictionFormatOf } from "./writePredictions.ts"

type Cells = readonly (string | undefined)[]

/** Columns of a table, cell by cell; undefined where there is none. */
interface Columns {
  readonly names: readonly string[]
  /** The cells as pandas reads them. */
  readonly column: (name: string) => Cells | undefined
  /** The cells as they were written: what pandas makes of an index depends on the indexes beside it. */
  readonly written: (name: string) => Cells | undefined
}

/** Text cells, typed column by column; names are lower-cased unless they are single capital letters. */
const typed = (
  names: readonly string[],
  cellsOf: (column: number) => readonly string[],
  writtenOf: (column: number) => readonly string[] = cellsOf
): Columns => {
  const normal = names.map((name) => (/^[A-Z]$/.test(name) ? name : name.toLowerCase()))
  const at = <A>(name: string, read: (column: number) => A): A | undefined =>
    normal.includes(name) ? read(normal.indexOf(name)) : undefined
  return {
    names: normal,
    column: (name) => at(name, (column) => typeColumn(cellsOf(column)).cells),
    written: (name) => at(name, (column) => writtenOf(column).map((cell) => (cell === "" ? undefined : cell)))
  }
}

const fromTsv = (file: string) =>
  readRawTable(file, { maxCell: 2 ** 26, maxImageCell: 2 ** 30 }).pipe(
    Effect.map(({ header, columns }) => typed(header, (column) => columns[column]!))
  )

// openpyxl leaves "_x000D_" as it is, where the library decodes it; pandas sees the escape.
const escapeControls = (text: string): string =>
  text.replace(
    /[\0-\x08\x0b-\x1f]/g,
    (control) => `_x${control.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}_`
  )

const sheetText = (value: unknown): string => {
  if (value === null || value === undefined) return ""
  if (typeof value === "string") return escapeControls(value)
  if (typeof value === "boolean") return value ? "True" : "False"
  // pandas makes whole floats of a sheet integers.
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value).toString() : floatText(value)
  throw new SyntaxError(`a cell holds ${value instanceof Date ? "a date" : "neither text nor a number"}`)
}

const fromXlsx = Effect.fnUntraced(function* (file: string) {
  const bytes = yield* readBytes(file, mostBytes.text)
  const invalid = (error: unknown) =>
    new TableInvalid({ file, reason: `not an xlsx sheet that can be read: ${(error as Error).message}` })
  yield* Effect.tryPromise({ try: () => checkWorkbook(bytes), catch: invalid })
  const book = yield* Effect.tryPromise({ try: () => readXlsx(bytes, { sheets: [0] }), catch: invalid })
  const values: readonly (readonly unknown[])[] = book.sheets[0]?.rows ?? []
  const rows = yield* Effect.try({ try: () => values.map((row) => row.map(sheetText)), catch: invalid })
  while (rows.length > 0 && rows.at(-1)!.every((cell) => cell === "")) rows.pop()
  const header = rows[0]
  if (header === undefined) return yield* new TableInvalid({ file, reason: "the first sheet is empty" })
  const below = rows.slice(1)
  const written = (row: readonly string[], at: number, column: number): string => {
    const value = values[at + 1]![column]
    return typeof value === "string" ? value : (row[column] ?? "")
  }
  return typed(
    header,
    (column) => below.map((row) => row[column] ?? ""),
    (column) => below.map((row, at) => written(row, at, column))
  )
})

const jsonText = (value: unknown): string | undefined => {
  if (typeof value === "string") {
    if (!value.startsWith(numberMark)) return value
    const number = value.slice(numberMark.length)
    return /^-?\d+$/.test(number) ? number : floatText(Number(number))
  }
  if (value === undefined) return undefined
  if (value === null) return "None"
  if (typeof value === "boolean") return value ? "True" : "False"
  return JSON.stringify(value)
}

/** JSON keeps its types: nothing is read again as a number or as missing. */
const fromJson = Effect.fnUntraced(function* (file: string) {
  const bytes = yield* readBytes(file, mostBytes.text)
  const table = yield* Effect.try({
    try: () => jsonTable(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
    catch: (error) => new TableInvalid({ file, reason: `not a table in JSON: ${(error as Error).message}` })
  })
  const names = table.columns.map((name) => name.toLowerCase())
  const column = (name: string) => {
    const at = names.indexOf(name)
    return at < 0 ? undefined : table.column(at).map(jsonText)
  }
  const columns: Columns = { names, column, written: column }
  return columns
})

const readers = { xlsx: fromXlsx, tsv: fromTsv, json: fromJson }

/**
 * Reads index and prediction of every row of an xlsx, tsv or json file, and what was asked where the file says it.
 *
 * Fails with FileFailed, TableInvalid (another ending, or not what the ending says), ColumnMissing, and RowInvalid (a row
 * without an index, or one that TSV cannot cut into cells).
 */
export const readPredictions = Effect.fn("evaluation.readPredictions")(function* (file: string) {
  const format = yield* predictionFormatOf(file)
  const table = yield* readers[format](file)
  const needed = (column: string, cells: Cells | undefined) => {
    const missing = new ColumnMissing({ file, column, neededBy: "scoring", columns: table.names })
    return cells === undefined ? Effect.fail(missing) : Effect.succeed(cells)
  }
  const indexes = yield* needed("index", table.written("index"))
  const texts = yield* needed("prediction", table.column("prediction"))
  const told = askedColumns.flatMap((column) => {
    const cells = table.column(column)
    return cells === undefined ? [] : [[column, cells] as const]
  })
  const predictions: Prediction[] = []
  for (const [i, index] of indexes.entries()) {
    if (index === undefined)
      return yield* new RowInvalid({ file, row: i + 1, column: "index", reason: "the cell is missing" })
    const asked = Object.fromEntries(told.map(([column, cells]) => [column, cells[i]]))
    predictions.push({ index, prediction: texts[i] ?? "nan", ...(told.length === 0 ? {} : { asked }) })
  }
  return predictions as readonly Prediction[]
})
