/**
 * Streaming reader of separated, CSV-quoted text: bytes in, records of raw cells out, as pandas' C parser cuts them.
 *
 * A cell that starts with `"` is quoted: `""` is one quote, separators and line ends inside belong to the cell, and text
 * after the closing quote is appended as it is. Elsewhere a quote is an ordinary character. LF, CR LF and a lone CR end a
 * record; empty and blank-only lines are skipped. Only bytes below 0x80 are special, so UTF-8 needs no decoding here and a
 * character may be cut by a chunk border.
 */
import { createHash, type Hash } from "node:crypto"

/** A cell: its byte range in the input (quotes included) and its unquoted bytes, or only their beginning where not kept. */
export interface RawCell {
  readonly start: number
  readonly end: number
  readonly bytes: Uint8Array
  /** Unquoted length; more than `bytes.length` when the rest was not kept. */
  readonly length: number
  /** SHA-256 of all unquoted bytes, hexadecimal, where the column asks for it. */
  readonly sha256?: string
}

export interface RawRecord {
  readonly cells: readonly RawCell[]
  /** Line of the input on which the record starts, from 1. */
  readonly line: number
}

interface RecordReaderOptions {
  readonly separator?: number
  /** How many unquoted bytes of a column's cells are kept; `fail` says that a longer cell is an error, `digest` that its digest is wanted. */
  readonly keep: (column: number) => { readonly bytes: number; readonly fail: boolean; readonly digest?: boolean }
  readonly onRecord: (record: RawRecord) => void
}

/** Why the input cannot be cut into records. */
export class RecordError extends Error {
  readonly line: number
  readonly column: number
  constructor(message: string, line: number, column: number) {
    super(message)
    this.line = line
    this.column = column
  }
}

/** Of a record, which is in memory as a whole: as many columns as a workbook can have. */
const mostCells = 16_384

const LF = 10
const CR = 13
const SPACE = 32
const QUOTE = 34
const TAB = 9

// Start of a record, start of a cell, in an unquoted cell, in a quoted cell, after a quote in a quoted cell, after a CR.
type State = "record" | "cell" | "plain" | "quoted" | "quote" | "cr"

/** Makes a reader: `push` chunks in order (they are kept by reference until their record ends), then `end` once. Throws RecordError. */
export const recordReader = (options: RecordReaderOptions) => {
  const separator = options.separator ?? TAB
  let state: State = "record"
  let offset = 0
  let line = 1
  let recordLine = 1
  let cells: RawCell[] = []
  let cellStart = 0
  let pieces: Uint8Array[] = []
  let kept = 0
  let length = 0
  let room = options.keep(0)
  let hash: Hash | undefined
  let blank = true

  const take = (chunk: Uint8Array, from: number, to: number): void => {
    if (to <= from) return
    length += to - from
    hash?.update(chunk.subarray(from, to))
    if (length > room.bytes && room.fail) {
      throw new RecordError(`a cell is longer than ${room.bytes} bytes (an unclosed quote?)`, recordLine, cells.length)
    }
    const part = chunk.subarray(from, Math.min(to, from + room.bytes - kept))
    if (part.length === 0) return
    pieces.push(part)
    kept += part.length
  }
  const startCell = (at: number): void => {
    cellStart = at
    pieces = []
    kept = 0
    length = 0
    room = options.keep(cells.length)
    hash = room.digest === true ? createHash("sha256") : undefined
  }
  const endCell = (at: number): void => {
    if (cells.length === mostCells) {
      throw new RecordError(`a row has more than the ${mostCells} cells that are read of one`, recordLine, cells.length)
    }
    const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
    const cell = { start: cellStart, end: at, bytes, length }
    cells.push(hash === undefined ? cell : { ...cell, sha256: hash.digest("hex") })
  }
  const endRecord = (at: number): void => {
    endCell(at)
    const skip = cells.length === 1 && blank
    const record = { cells, line: recordLine }
    cells = []
    state = "record"
    if (!skip) options.onRecord(record)
  }

  const push = (chunk: Uint8Array): void => {
    const size = chunk.length
    let i = 0
    while (i < size) {
      const byte = chunk[i]!
      if (state === "cr") {
        state = "record"
        if (byte === LF) {
          i++
          continue
        }
      }
      if (state === "record") {
        recordLine = line
        blank = true
        state = "cell"
        startCell(offset + i)
      }
      if (state === "quoted") {
        const from = i
        while (i < size && chunk[i] !== QUOTE) if (chunk[i++] === LF) line++
        take(chunk, from, i)
        if (i < size) {
          i++
          state = "quote"
        }
        continue
      }
      if (state === "quote" && byte === QUOTE) {
        take(chunk, i, i + 1)
        i++
        state = "quoted"
        continue
      }
      if (state === "cell" && byte === QUOTE) {
        blank = false
        i++
        state = "quoted"
        continue
      }
      const from = i
      while (i < size && chunk[i] !== separator && chunk[i] !== LF && chunk[i] !== CR) {
        if (chunk[i] !== SPACE) blank = false
        i++
      }
      take(chunk, from, i)
      if (i >= size) {
        if (i > from) state = "plain"
        break
      }
      const at = offset + i
      const end = chunk[i++]!
      if (end === separator) {
        endCell(at)
        startCell(at + 1)
        state = "cell"
      } else {
        line++
        endRecord(at)
        if (end === CR) state = "cr"
      }
    }
    offset += size
  }

  const end = (): void => {
    if (state === "quoted")
      throw new RecordError("the file ends inside a quoted cell (is it cut off?)", recordLine, cells.length)
    if (state !== "record" && state !== "cr") endRecord(offset)
  }

  return { push, end }
}
