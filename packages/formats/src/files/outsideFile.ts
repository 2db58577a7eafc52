/**
 * The one gate for files that come from outside. What is no regular file, whose reading may never end (a pipe, a device), and what is
 * larger than anything of its kind, is refused before a byte is read.
 */
import type { Stats } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createReadStream, open, readFile, readFileSync, stat, statSync } from "#system/files"
import { FileFailed } from "../Errors.ts"
import { attemptFile, attemptOn } from "../internal/attempt.ts"

/** Most bytes that are read of a file as a whole: far more than any of its kind has, little enough to be held in memory. */
export const mostBytes = {
  /** Recipes, configurations, records of runs, indexes of shards, modules. */
  document: 2 ** 26,
  /** Vocabularies, predictions, answers, logs. Node's longest text has so many characters. */
  text: 2 ** 29 - 24,
  /** Pictures and other files of bytes. */
  bytes: 2 ** 30
} as const

/** The code of files that have more than is read of their kind; the system has EFBIG for those that are too large to write. */
export const overLimit = "ERR_OVER_LIMIT"

const kindOf = (info: Stats): string => {
  if (info.isDirectory()) return "a directory"
  if (info.isFIFO()) return "a pipe"
  if (info.isSocket()) return "a socket"
  return "a device"
}

/** Why a file is not read; undefined where it is. */
const refusal = (file: string, operation: string, info: Stats, most: number): FileFailed | undefined => {
  const refuse = (code: string, reason: string) => new FileFailed({ file, operation, code, reason })
  if (!info.isFile()) {
    return refuse(info.isDirectory() ? "EISDIR" : "EINVAL", `it is not a regular file, but ${kindOf(info)}`)
  }
  if (info.size <= most) return undefined
  return refuse(overLimit, `it has ${info.size} bytes, more than the ${most} that are read of such a file`)
}

/** Fails with FileFailed unless `file` is a regular file of at most so many bytes. */
export const checkOutside = Effect.fnUntraced(function* (
  file: string,
  operation: string,
  most = Number.POSITIVE_INFINITY
): Effect.fn.Return<void, FileFailed> {
  const refused = refusal(file, operation, yield* attemptOn(file)(operation, () => stat(file)), most)
  if (refused !== undefined) return yield* refused
})

const statOutside = (file: string, operation: string, most: number): Stats => {
  const info = attemptFile(file, operation, () => statSync(file))
  const refused = refusal(file, operation, info, most)
  if (refused !== undefined) throw refused
  return info
}

/** The same for functions without effects. Throws FileFailed. */
export const checkOutsideSync = (file: string, operation: string, most = Number.POSITIVE_INFINITY): void =>
  void statOutside(file, operation, most)

/** The bytes of a whole file. */
export const readBytes = (file: string, most: number = mostBytes.bytes): Effect.Effect<Uint8Array, FileFailed> =>
  Effect.andThen(
    checkOutside(file, "read", most),
    attemptOn(file)("read", () => readFile(file))
  )

/** A whole file as UTF-8, without its byte order mark. */
export const readText = (file: string, most: number = mostBytes.document): Effect.Effect<string, FileFailed> =>
  Effect.map(readBytes(file, most), (bytes) => new TextDecoder().decode(bytes))

/** The same for functions without effects. Throws FileFailed. */
export const readTextSync = (file: string, most: number = mostBytes.document): string => {
  checkOutsideSync(file, "read", most)
  return new TextDecoder().decode(attemptFile(file, "read", () => readFileSync(file)))
}

const pieceBytes = 2 ** 20
/** Files that the system makes up say that they are empty. */
const leastBytes = 2 ** 12

/** The bytes of a file of any size, a mebibyte at a time. Throws FileFailed and the errors of node:fs. */
export async function* piecesOf(file: string): AsyncGenerator<Uint8Array> {
  const { size } = statOutside(file, "read", Number.POSITIVE_INFINITY)
  // A small file needs no room of a mebibyte, which is made twice: for its bytes and for its end.
  const highWaterMark = Math.min(pieceBytes, Math.max(leastBytes, size))
  yield* createReadStream(file, { highWaterMark }) as AsyncIterable<Uint8Array>
}

/** Opens a file of any size, to be read by ranges or in pieces, for as long as the scope lasts. */
export const openOutside = (file: string): Effect.Effect<FileHandle, FileFailed, Scope.Scope> =>
  Effect.andThen(
    checkOutside(file, "open"),
    Effect.acquireRelease(
      attemptOn(file)("open", () => open(file, "r")),
      (handle) => Effect.ignore(attemptOn(file)("close", () => handle.close()))
    )
  )

/** Succeeds with undefined where there is no such file. */
export const ifPresent = <A, R>(read: Effect.Effect<A, FileFailed, R>): Effect.Effect<A | undefined, FileFailed, R> =>
  Effect.catchIf(
    read,
    (error) => error.code === "ENOENT",
    () => Effect.succeed(undefined)
  )
