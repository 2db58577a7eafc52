/** A JSON Lines file of records, read line by line through an index of byte offsets: only the asked line is in memory. */
import type { FileHandle } from "node:fs/promises"
import { attemptOn, decompressedFile, type FileFailed, mostBytes, openOutside } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { DatasetInvalid } from "../Errors.ts"
import { type ConversationRecord, readRecord } from "./ConversationRecord.ts"

export interface AnnotationFile {
  readonly path: string
  /** The file that is read: `path`, or its decompressed copy, which lives as long as the scope of who made it. */
  readonly content: string
  /** Number of lines. A last line need not end; an empty line is a line, and an error when read. */
  readonly lines: number
  /** Byte offset of every line, then the end, in memory that threads can share: what `openAnnotations` need not find again. */
  readonly starts: Float64Array<SharedArrayBuffer>
  /** The record of a line, counted from 0. Fails with DatasetInvalid, which counts lines from 1. */
  readonly read: (line: number) => Effect.Effect<ConversationRecord, FileFailed | DatasetInvalid>
}

/** Three times those of the largest data sets. Of each the place is in memory, which takes more than an empty line itself. */
const mostLines = 2 ** 25
const chunkBytes = 2 ** 20
const newline = 0x0a

/**
 * Opens a file for as long as the scope lasts; a `.zst` file is decompressed into a temporary one first. The whole file is read
 * once, in pieces, to find its lines, unless they are known; another thread that has opened it gives its copy, too.
 */
export const openAnnotations = Effect.fnUntraced(function* (
  path: string,
  known?: Pick<AnnotationFile, "starts"> & Partial<Pick<AnnotationFile, "content">>
): Effect.fn.Return<AnnotationFile, FileFailed | DatasetInvalid, Scope.Scope> {
  const content = known?.content ?? (yield* plainCopy(path))
  const file = yield* openOutside(content)
  const starts = known?.starts ?? shared(yield* lineStarts(path, file))
  const lines = starts.length - 1

  const read = Effect.fnUntraced(function* (
    line: number
  ): Effect.fn.Return<ConversationRecord, FileFailed | DatasetInvalid> {
    if (!(Number.isInteger(line) && line >= 0 && line < lines)) {
      throw new RangeError(`${path} has lines 0 to ${lines - 1}, not ${line}`)
    }
    const invalid = (reason: string) => new DatasetInvalid({ file: path, line: line + 1, reason })
    const bytes = starts[line + 1]! - starts[line]!
    if (bytes > mostBytes.document) {
      return yield* invalid(`the line has ${bytes} bytes, more than the ${mostBytes.document} that are read of one`)
    }
    const buffer = new Uint8Array(bytes)
    for (let done = 0; done < bytes; ) {
      const position = starts[line]! + done
      const { bytesRead } = yield* attemptOn(path)("read", () => file.read(buffer, done, bytes - done, position))
      if (bytesRead === 0) return yield* invalid(`the file was cut at byte ${position} since it was opened`)
      done += bytesRead
    }
    return yield* Effect.mapError(Effect.fromResult(readRecord(buffer)), invalid)
  })
  return { path, content, lines, starts, read }
})

const plainCopy = (path: string) =>
  decompressedFile(path).pipe(
    Effect.catchTag("CompressedInvalid", ({ file, reason }) => new DatasetInvalid({ file, reason }))
  )

const shared = (offsets: Float64Array): Float64Array<SharedArrayBuffer> => {
  const copy = new Float64Array(new SharedArrayBuffer(offsets.byteLength))
  copy.set(offsets)
  return copy
}

/** Byte offset of every line, and the file's end. Doubles hold offsets beyond 4 GiB. */
const lineStarts = Effect.fnUntraced(function* (
  path: string,
  file: FileHandle
): Effect.fn.Return<Float64Array, FileFailed | DatasetInvalid> {
  const chunk = Buffer.allocUnsafe(chunkBytes)
  let starts = new Float64Array(1024)
  let count = 1
  let position = 0
  for (;;) {
    const { bytesRead } = yield* attemptOn(path)("read", () => file.read(chunk, 0, chunkBytes, position))
    if (bytesRead === 0) break
    const filled = chunk.subarray(0, bytesRead)
    for (let at = filled.indexOf(newline); at >= 0; at = filled.indexOf(newline, at + 1)) {
      if (count > mostLines) {
        return yield* new DatasetInvalid({
          file: path,
          reason: `it has more than the ${mostLines} lines that are read`
        })
      }
      if (count + 1 === starts.length) {
        const grown = new Float64Array(2 * count)
        grown.set(starts)
        starts = grown
      }
      starts[count++] = position + at + 1
    }
    position += bytesRead
  }
  const ended = starts.slice(0, count + 1)
  // A last line without a newline ends where the file does.
  if (starts[count - 1]! === position) return ended.subarray(0, count)
  ended[count] = position
  return ended
})
