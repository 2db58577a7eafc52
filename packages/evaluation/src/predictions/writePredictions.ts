/**
 * The predictions file that VLMEvalKit reads: every column of the data file but `image`, then `prediction`; as an xlsx sheet,
 * as TSV with every field quoted, or as JSON records.
 */
import { extname } from "node:path"
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { writeXlsx } from "hucre/xlsx"
import type { DataFile } from "../data/DataFile.ts"
import type { Row } from "../data/Row.ts"
import { TableInvalid } from "../Errors.ts"

export type PredictionFormat = "xlsx" | "tsv" | "json"

export const predictionFormats: readonly PredictionFormat[] = ["xlsx", "tsv", "json"]

/** A cell that an xlsx sheet cannot hold whole; it was cut, as VLMEvalKit's writer cuts it. */
export interface CutCell {
  readonly index: string
  readonly column: string
  readonly length: number
}

/** Most characters (UTF-16 units) of a cell in an xlsx sheet. */
export const xlsxCellLimit = 32_767

/** The format that a file's ending names. */
export const predictionFormatOf = (file: string): Effect.Effect<PredictionFormat, TableInvalid> => {
  const ending = extname(file).slice(1).toLowerCase()
  const format = predictionFormats.find((name) => name === ending)
  if (format !== undefined) return Effect.succeed(format)
  const reason = `the ending must be one of ${predictionFormats.map((name) => `.${name}`).join(", ")}`
  return Effect.fail(new TableInvalid({ file, reason }))
}

/** What is written: cells as pandas prints them, undefined where missing. */
interface Table {
  readonly header: readonly string[]
  readonly rows: readonly (readonly (string | undefined)[])[]
  readonly indexes: readonly string[]
  /** Whether the column's cells are written as numbers. */
  readonly numeric: readonly boolean[]
}

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`

const tsvText = ({ header, rows }: Table): string =>
  [header, ...rows].map((cells) => `${cells.map((cell) => quoted(cell ?? "")).join("\t")}\n`).join("")

/** Numbers stay as pandas prints them, so that 1.0 is not written as 1. */
const jsonText = ({ header, rows, numeric }: Table): string => {
  const value = (text: string | undefined, column: number): string => {
    if (text === undefined) return "null"
    return numeric[column] === true && Number.isFinite(Number(text)) ? text : JSON.stringify(text)
  }
  const records = rows.map((cells) => {
    const fields = cells.map((cell, i) => `        ${JSON.stringify(header[i])}: ${value(cell, i)}`)
    return `    {\n${fields.join(",\n")}\n    }`
  })
  return `[\n${records.join(",\n")}\n]\n`
}

const numberOf = (text: string): number | string => {
  const value = Number(text)
  const exact = /^-?\d+$/.test(text) ? Number.isSafeInteger(value) : Number.isFinite(value)
  return exact ? value : text
}

/** A text within the limit; half a character is not left at its end. */
const cutText = (text: string): string => text.slice(0, xlsxCellLimit).replace(/[\ud800-\udbff]$/, "")

/** A text that looks like the format's own escape of a character, `_x0041_`, must not become that character. */
const escapeEscapes = (text: string): string => text.replace(/_(?=x[0-9a-fA-F]{4}_)/g, "_x005F_")

const workbook = ({ header, rows, indexes, numeric }: Table) => {
  const cut: CutCell[] = []
  const cells = rows.map((row, at) =>
    row.map((text, i) => {
      if (text === undefined) return null
      if (numeric[i] === true) return numberOf(text)
      if (text.length <= xlsxCellLimit) return escapeEscapes(text)
      cut.push({ index: indexes[at]!, column: header[i]!, length: text.length })
      return escapeEscapes(cutText(text))
    })
  )
  // Texts are written as texts: one that starts with "=" does not become a formula.
  const bytes = Effect.promise(() => writeXlsx({ sheets: [{ name: "Sheet1", rows: [[...header], ...cells] }] }))
  return Effect.map(bytes, (content) => ({ content, cut }))
}

const encode = (format: PredictionFormat, table: Table) => {
  if (format === "xlsx") return workbook(table)
  const text = format === "tsv" ? tsvText(table) : jsonText(table)
  return Effect.succeed({ content: Buffer.from(text) as Uint8Array, cut: [] as readonly CutCell[] })
}

/**
 * Writes predictions (index to text) of some rows of a data file; the file appears whole or not at all.
 *
 * Gives the cells that an xlsx sheet could not hold whole. Fails with FileFailed and TableInvalid (unknown ending).
 */
export const writePredictions = Effect.fn("evaluation.writePredictions")(function* (
  file: string,
  data: DataFile,
  rows: readonly Row[],
  predictions: ReadonlyMap<string, string>
) {
  const format = yield* predictionFormatOf(file)
  const columns = data.columns.filter((name) => name !== "image" && name !== "prediction")
  const { content, cut } = yield* encode(format, {
    header: [...columns, "prediction"],
    rows: rows.map((row) => [...columns.map((name) => row.cells.get(name)), predictions.get(row.index)]),
    indexes: rows.map((row) => row.index),
    numeric: [...columns.map((name) => data.numeric.has(name)), false]
  })
  yield* AtomicFile.writeWhole(file, content)
  return cut
})
