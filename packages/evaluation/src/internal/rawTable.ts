/** A TSV file read in one pass: columns of raw text, byte ranges instead of images, digests. */
import { createHash } from "node:crypto"
import { mostBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { RowInvalid, TableInvalid } from "../Errors.ts"
import { readPieces } from "./files.ts"
import { codePoints } from "./pythonText.ts"
import { type RawCell, type RawRecord, RecordError, recordReader } from "./recordReader.ts"

/** An `image` cell: where it is, its length in characters, its text when it is short enough to be a reference, its digest. */
interface ImageCell {
  readonly start: number
  readonly end: number
  readonly length: number
  readonly short: string
  /** SHA-256 of its unquoted bytes, hexadecimal. */
  readonly sha256: string
}

export interface RawTable {
  readonly header: readonly string[]
  /** Cells of each column, from the first row on; empty for `image`. */
  readonly columns: readonly (readonly string[])[]
  /** One for each row, or none at all without a column `image`. */
  readonly images: readonly ImageCell[]
  readonly rows: number
  readonly bytes: number
  readonly md5: string
  readonly sha256: string
}

/** Limits of what is in memory together. */
export interface CellLimits {
  /** Longest `image` cell in bytes; a longer one is an error, not memory. */
  readonly maxImageCell: number
  /** Longest other cell in bytes. */
  readonly maxCell: number
  /** Most rows; the largest benchmarks have 60,000. Default: a million. */
  readonly maxRows?: number
  /** Most bytes of all cells but images together. Default: 512 MiB. */
  readonly maxText?: number
}

/** An `image` cell of at most so many characters names another row, whose image it shares. */
export const referenceLength = 64

// Enough for one character more than a reference has, whatever the script.
const headBytes = 4 * (referenceLength + 1)

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

class BadCell extends Error {
  readonly column: string | undefined
  constructor(column: string | undefined, reason: string) {
    super(reason)
    this.column = column
  }
}

const decode = (column: string | undefined, cell: RawCell): string => {
  try {
    return decoder.decode(cell.bytes)
  } catch {
    throw new BadCell(column, "not valid UTF-8")
  }
}

const headerOf = (record: RawRecord): readonly string[] => {
  const names = record.cells.map((cell) => decode(undefined, cell))
  // A byte order mark hides the quotes of the first name from the reader.
  names[0] = names[0]!.replace(/^\ufeff/, "").replace(/^"(.*)"$/s, "$1")
  return names
}

const imageOf = (cell: RawCell, limit: number): ImageCell => {
  if (cell.length > limit)
    throw new BadCell("image", `${cell.length} bytes of encoded image, more than the ${limit} allowed`)
  const short = cell.length <= cell.bytes.length ? decode("image", cell) : ""
  const length = short === "" ? cell.length : codePoints(short)
  return {
    start: cell.start,
    end: cell.end,
    length,
    short: length <= referenceLength ? short : "",
    sha256: cell.sha256!
  }
}

/** Collects records; remembers how far it came for the sake of errors. */
const makeCollector = (limits: CellLimits) => {
  let header: readonly string[] | undefined
  let columns: string[][] = []
  const images: ImageCell[] = []
  let rows = 0
  let text = 0
  const { maxRows = 1_000_000, maxText = mostBytes.text } = limits
  const keep = (name: string, cell: RawCell): string => {
    text += cell.bytes.length
    if (text > maxText)
      throw new BadCell(
        name,
        `its cells and those before it have more than the ${maxText} bytes that are read of a table`
      )
    return decode(name, cell)
  }
  const collect = (record: RawRecord): void => {
    if (header === undefined) {
      header = headerOf(record)
      columns = header.map(() => [])
      return
    }
    rows++
    if (rows > maxRows) throw new BadCell(undefined, `more than the ${maxRows} rows that are read of a table`)
    if (record.cells.length !== header.length) {
      throw new BadCell(
        undefined,
        `${record.cells.length} cells on line ${record.line}, the header has ${header.length}`
      )
    }
    for (const [i, cell] of record.cells.entries()) {
      const name = header[i]!
      if (name === "image") images.push(imageOf(cell, limits.maxImageCell))
      else columns[i]!.push(keep(name, cell))
    }
  }
  const reader = recordReader({
    keep: (column) =>
      header?.[column] === "image"
        ? { bytes: headBytes, fail: false, digest: true }
        : { bytes: limits.maxCell, fail: true },
    onRecord: collect
  })
  return { reader, progress: () => ({ header, columns, images, rows }) }
}

/**
 * Streams a file once. Fails with FileFailed, TableInvalid (empty, or a header that is not UTF-8) and RowInvalid (a row of
 * another width, an unclosed quote, text that is not UTF-8, an oversized cell).
 */
export const readRawTable = Effect.fnUntraced(function* (file: string, limits: CellLimits) {
  const { reader, progress } = makeCollector(limits)
  const [md5, sha256] = [createHash("md5"), createHash("sha256")]
  let bytes = 0
  const failure = (error: unknown) => {
    const { header, rows } = progress()
    if (error instanceof BadCell) {
      if (header === undefined) return new TableInvalid({ file, reason: `the header is ${error.message}` })
      return new RowInvalid({
        file,
        row: rows,
        reason: error.message,
        ...(error.column === undefined ? {} : { column: error.column })
      })
    }
    if (!(error instanceof RecordError)) throw error
    const column = header?.[error.column]
    const reason = `${error.message}; the row starts on line ${error.line}`
    return new RowInvalid({ file, row: rows + 1, reason, ...(column === undefined ? {} : { column }) })
  }
  yield* readPieces(file, (piece) =>
    Effect.try({
      try: () => {
        bytes += piece.length
        md5.update(piece)
        sha256.update(piece)
        reader.push(piece)
      },
      catch: failure
    })
  )
  yield* Effect.try({ try: reader.end, catch: failure })
  const { header, columns, images, rows } = progress()
  if (header === undefined)
    return yield* new TableInvalid({ file, reason: "empty; a TSV file with a header row was expected" })
  const table: RawTable = { header, columns, images, rows, bytes, md5: md5.digest("hex"), sha256: sha256.digest("hex") }
  return table
})
