/**
 * A benchmark's TSV file: rows in memory, images as byte ranges of the file.
 *
 * The file is streamed once, whatever its size. Cells become what pandas would make of them; rows whose `image` is missing
 * are dropped, as VLMEvalKit does.
 */
import * as Effect from "effect/Effect"
import type { Benchmark } from "../benchmarks/Benchmark.ts"
import { ColumnMissing, DataFileMissing, RowInvalid, TableInvalid } from "../Errors.ts"
import { missingTexts, type PandasColumn, typeColumn } from "../internal/pandasColumn.ts"
import { parseStringList } from "../internal/pythonLiteral.ts"
import { type CellLimits, type RawTable, readRawTable, referenceLength } from "../internal/rawTable.ts"
import type { Row } from "./Row.ts"

/**
 * Where a row's images are: in a cell, its own or that of the row it refers to, given as bytes of the data file (quotes
 * included) with their digest; in files; or nowhere.
 */
export type ImageSource =
  | { readonly kind: "cell"; readonly start: number; readonly end: number; readonly sha256: string }
  | { readonly kind: "files"; readonly paths: readonly string[] }
  | { readonly kind: "none" }

export interface DataRow extends Row {
  readonly image: ImageSource
}

export interface DataFile {
  readonly file: string
  readonly bytes: number
  /** Hexadecimal digests of the whole file. */
  readonly md5: string
  readonly sha256: string
  /** All columns in the file's order, `image` included. */
  readonly columns: readonly string[]
  /** Columns that pandas reads as numbers, to be written as numbers. */
  readonly numeric: ReadonlySet<string>
  readonly rows: readonly DataRow[]
  /** How many rows were dropped because they have no image. */
  readonly dropped: number
}

export interface ReadOptions extends Partial<CellLimits> {
  /** `score` needs neither questions nor images; `ask` (the default) needs both. */
  readonly purpose?: "ask" | "score"
}

const defaultLimits: CellLimits = { maxImageCell: 2 ** 26, maxCell: 2 ** 24 }

const checkColumns = Effect.fnUntraced(function* (
  file: string,
  columns: readonly string[],
  benchmark: Benchmark,
  purpose: "ask" | "score"
) {
  const repeated = columns.find((name, i) => columns.indexOf(name) !== i)
  if (repeated !== undefined) return yield* new TableInvalid({ file, reason: `column "${repeated}" appears twice` })
  const needed = benchmark.columns.filter((name) => purpose === "ask" || name !== "question")
  const imageless = purpose === "ask" && !columns.includes("image") && !columns.includes("image_path")
  const column = needed.find((name) => !columns.includes(name)) ?? (imageless ? "image" : undefined)
  if (column !== undefined) return yield* new ColumnMissing({ file, column, neededBy: benchmark.name, columns })
})

/** Typed columns to rows, without those that have no image. */
const toRows = (table: RawTable, typed: ReadonlyMap<string, PandasColumn>): readonly Row[] => {
  const rows: Row[] = []
  for (let i = 0; i < table.rows; i++) {
    const image = table.images[i]
    if (image !== undefined && image.length <= referenceLength && missingTexts.has(image.short)) continue
    const cells = new Map<string, string>()
    const takenForMissing = new Set<string>()
    for (const [at, name] of table.header.entries()) {
      const cell = typed.get(name)?.cells[i]
      if (cell !== undefined) cells.set(name, cell)
      else if (name !== "image" && table.columns[at]![i] !== "") takenForMissing.add(name)
    }
    const index = cells.get("index") ?? ""
    rows.push({ row: i + 1, index, cells, ...(takenForMissing.size === 0 ? {} : { takenForMissing }) })
  }
  return rows
}

const checkRows = Effect.fnUntraced(function* (file: string, rows: readonly Row[], purpose: "ask" | "score") {
  const seen = new Map<string, number>()
  for (const { row, index, cells } of rows) {
    if (index === "") return yield* new RowInvalid({ file, row, column: "index", reason: "the cell is missing" })
    const first = seen.get(index)
    if (first !== undefined) {
      return yield* new RowInvalid({ file, row, index, column: "index", reason: `row ${first} has the same index` })
    }
    seen.set(index, row)
    if (purpose === "ask" && !cells.has("question")) {
      return yield* new RowInvalid({ file, row, index, column: "question", reason: "the cell is missing" })
    }
  }
})

/** The paths of a row's `image_path` cell, which holds one or a Python list of several; none where it is missing. */
export const imagePathsOf = (file: string, { row, index, cells }: Row) =>
  Effect.try({
    try: () => {
      const cell = cells.get("image_path")
      if (cell === undefined) return []
      return cell.startsWith("[") && cell.endsWith("]") ? parseStringList(cell) : [cell]
    },
    catch: (error) => new RowInvalid({ file, row, index, column: "image_path", reason: (error as Error).message })
  })

const withImages = Effect.fnUntraced(function* (file: string, table: RawTable, rows: readonly Row[]) {
  const byIndex = new Map(rows.map((row) => [row.index, table.images[row.row - 1]]))
  const result: DataRow[] = []
  for (const row of rows) {
    const own = table.images[row.row - 1]
    if (own === undefined) {
      const paths = yield* imagePathsOf(file, row)
      result.push({ ...row, image: paths.length === 0 ? { kind: "none" } : { kind: "files", paths } })
      continue
    }
    const cell = own.length <= referenceLength ? byIndex.get(own.short) : own
    if (cell === undefined || cell.length <= referenceLength) {
      const reason = `"${own.short}" is too short for an image and is not the index of a row that has one`
      return yield* new RowInvalid({ file, row: row.row, index: row.index, column: "image", reason })
    }
    result.push({ ...row, image: { kind: "cell", start: cell.start, end: cell.end, sha256: cell.sha256 } })
  }
  return result
})

const missingFile = (file: string, { name, origin }: Benchmark) =>
  new DataFileMissing({ file, benchmark: name, ...(origin === undefined ? {} : { url: origin.url }) })

/**
 * Reads a benchmark's TSV file.
 *
 * Fails with DataFileMissing, FileFailed, TableInvalid (no header), ColumnMissing, and RowInvalid (a row of another width, an unclosed
 * quote, text that is not UTF-8, an oversized cell, a missing or repeated index, a broken image reference).
 */
export const readDataFile = Effect.fn("evaluation.readDataFile")(function* (
  file: string,
  benchmark: Benchmark,
  options: ReadOptions = {}
) {
  const purpose = options.purpose ?? "ask"
  const table = yield* readRawTable(file, { ...defaultLimits, ...options }).pipe(
    Effect.catchIf(
      (error) => error._tag === "FileFailed" && error.code === "ENOENT",
      () => Effect.fail(missingFile(file, benchmark))
    )
  )
  const { header, columns, bytes, md5, sha256 } = table
  yield* checkColumns(file, header, benchmark, purpose)
  const named = header.map((name, i) => [name, typeColumn(columns[i]!)] as const)
  const typed = new Map(named.filter(([name]) => name !== "image"))
  const rows = toRows(table, typed)
  yield* checkRows(file, rows, purpose)
  const numeric = new Set(header.filter((name) => ["integer", "float"].includes(typed.get(name)?.kind ?? "")))
  const dropped = table.rows - rows.length
  const data: DataFile = {
    file,
    bytes,
    md5,
    sha256,
    columns: header,
    numeric,
    rows: yield* withImages(file, table, rows),
    dropped
  }
  return data
})
