/** Files compressed with Zstandard, `NAME.zst`, decompressed piece by piece: no file is in memory as a whole. */
import { createReadStream } from "node:fs"
import { mkdtemp, open, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Decompress } from "fzstd"
import { CompressedInvalid, FileFailed } from "../Errors.ts"

const ending = ".zst"

/** Whether a file is compressed, by its name. */
export const isCompressed = (file: string): boolean => file.endsWith(ending)

/** Zstandard's magic number, little-endian. */
const magic = [0x28, 0xb5, 0x2f, 0xfd]

/** The decompressed pieces of a stream; `file` is what errors name. */
async function* decompressed(file: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = []
  const stream = new Decompress((piece) => ready.push(piece))
  const push = (piece: Uint8Array, last: boolean) => {
    try {
      stream.push(piece, last)
    } catch (error) {
      throw new CompressedInvalid({ file, reason: error instanceof Error ? error.message : String(error) })
    }
  }
  let read = 0
  for await (const piece of source) {
    if (read === 0 && magic.some((byte, at) => at < piece.length && piece[at] !== byte)) {
      throw new CompressedInvalid({ file, reason: "it does not begin as Zstandard files do" })
    }
    read += piece.length
    push(piece, false)
    yield* ready.splice(0)
  }
  if (read === 0) throw new CompressedInvalid({ file, reason: "it is empty" })
  push(new Uint8Array(0), true)
  yield* ready.splice(0)
}

/** The bytes of a file in pieces, decompressed where its name ends in `.zst`. Throws CompressedInvalid and the errors of node:fs. */
export const readPieces = (file: string): AsyncIterable<Uint8Array> => {
  const bytes = createReadStream(file) as AsyncIterable<Uint8Array>
  return isCompressed(file) ? decompressed(file, bytes) : bytes
}

const failure =
  (file: string, operation: string) =>
  (error: unknown): FileFailed | CompressedInvalid => {
    if (error instanceof CompressedInvalid) return error
    if (!(error instanceof Error) || !("code" in error)) throw error
    return new FileFailed({ file, operation, code: String(error.code), reason: error.message })
  }

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
