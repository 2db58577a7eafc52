/** Files compressed with Zstandard, `NAME.zst`, decompressed piece by piece: no file is in memory as a whole. */
import { mkdtemp, open, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Decompress } from "fzstd"
import { CompressedInvalid, type FileFailed } from "../Errors.ts"
import { fileFailed } from "../internal/attempt.ts"
import { piecesOf } from "./outsideFile.ts"
import { ZstandardFrames } from "./zstandardFrames.ts"

const ending = ".zst"

/** Whether a file is compressed, by its name. */
export const isCompressed = (file: string): boolean => file.endsWith(ending)

/** More than this must be less than so many times the compressed bytes. Text is compressed 3 to 20 times. */
const anyways = 2 ** 30
const mostTimes = 1000
/** Bytes of windows that are moved anyway, and for each byte that comes out: with a window of 128 MiB that is a block of 64 KiB. */
const movedAnyways = 2 ** 33
const mostMoved = 2048

/** The decompressed pieces of a stream; `file` is what errors name. */
async function* decompressed(file: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const refuse = (reason: string) => new CompressedInvalid({ file, reason })
  const ready: Uint8Array[] = []
  let made = 0
  let read = 0
  const frames = new ZstandardFrames(file)
  const stream = new Decompress((piece) => {
    made += piece.length
    ready.push(piece)
  })
  const push = (piece: Uint8Array, last: boolean) => {
    try {
      stream.push(piece, last)
    } catch (error) {
      throw refuse(error instanceof Error ? error.message : String(error))
    }
  }
  for await (const piece of source) {
    // A block at a time: four bytes can stand for 128 KiB.
    for (const part of frames.parts(piece)) {
      if (frames.moved > movedAnyways + mostMoved * made) {
        throw refuse(
          `its first ${read} bytes are blocks of next to nothing in windows of ${frames.moved} bytes together`
        )
      }
      read += part.length
      push(part, false)
      if (made > Math.max(anyways, mostTimes * read)) {
        throw refuse(`${made} bytes came out of its first ${read}, more than ${mostTimes} times as many`)
      }
      yield* ready.splice(0)
    }
  }
  if (read === 0) throw refuse("it is empty")
  frames.end()
  push(new Uint8Array(0), true)
  yield* ready.splice(0)
}

/** The bytes of a file in pieces, decompressed where its name ends in `.zst`. Throws CompressedInvalid, FileFailed and the errors of node:fs. */
export const readPieces = (file: string): AsyncIterable<Uint8Array> =>
  isCompressed(file) ? decompressed(file, piecesOf(file)) : piecesOf(file)

const failure =
  (file: string, operation: string) =>
  (error: unknown): FileFailed | CompressedInvalid =>
    error instanceof CompressedInvalid ? error : fileFailed(file, operation, error)

/** Writes the decompressed content of a file to `target`. */
const decompressTo = async (file: string, target: string): Promise<void> => {
  const out = await open(target, "w")
  try {
    for await (const piece of readPieces(file)) await out.writeFile(piece)
  } finally {
    await out.close()
  }
}

/**
 * A file that can be read at any place: the file itself, or a decompressed copy in the system's temporary directory, which is
 * removed with the scope. Fails with FileFailed and CompressedInvalid.
 */
export const decompressedFile = (file: string): Effect.Effect<string, FileFailed | CompressedInvalid, Scope.Scope> =>
  Effect.gen(function* () {
    if (!isCompressed(file)) return file
    const directory = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () => mkdtemp(join(tmpdir(), "speedq-")),
        catch: failure(tmpdir(), "make a temporary directory")
      }),
      (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
    )
    const target = join(directory, basename(file, ending))
    yield* Effect.tryPromise({ try: () => decompressTo(file, target), catch: failure(file, "decompress") })
    return target
  })
