/** Files that appear whole or not at all: written under a temporary name beside the final one, flushed to the disk, then renamed. */
import { createHash } from "node:crypto"
import { open, rename, rm } from "node:fs/promises"
import { basename, dirname } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { FileFailed } from "../Errors.ts"
import { attemptOn } from "../internal/attempt.ts"
import { syncDirectory, syncTree } from "./syncDirectory.ts"
import { forgetTemporary, leftoversOf, nextTemporary } from "./temporaries.ts"

/** A finished file; the digest and the number of bytes were computed while writing. */
export interface Written {
  readonly file: string
  readonly sha256: string
  readonly bytes: number
}

/**
 * A file on its way to `path`. It is dropped when its scope ends before `publish`;
 * a killed process leaves a temporary file behind, which the next `make` for the same path removes.
 */
export interface AtomicFile {
  /** Adds bytes at the end. They must not change before it is done. */
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, FileFailed>
  /** Flushes everything to the disk and closes the file. */
  readonly seal: Effect.Effect<Written, FileFailed>
  /** After `seal`: gives the file its final name, in place of what had it before, and flushes the directory. */
  readonly publish: Effect.Effect<void, FileFailed>
}

// Small enough for the processor's cache: each piece is hashed while it is written.
const pieceBytes = 2 ** 20

/** Starts a file that will become `path`, in a directory that exists. */
export const make: (path: string) => Effect.Effect<AtomicFile, FileFailed, Scope.Scope> = Effect.fnUntraced(
  function* (path) {
    const attempt = attemptOn(path)
    yield* removeLeftovers(path)
    const temporary = nextTemporary(path)
    const handle = yield* Effect.acquireRelease(
      attempt("create", () => open(temporary, "w")),
      // close() waits for writes under way, and does nothing the second time.
      (opened) =>
        attempt("close", () => opened.close()).pipe(
          Effect.ensuring(attempt("remove", () => rm(temporary, { force: true })).pipe(Effect.ignore)),
          Effect.ensuring(Effect.sync(() => forgetTemporary(temporary))),
          Effect.ignore
        )
    )
    const hash = createHash("sha256")
    let bytes = 0

    const write = (piece: Uint8Array): Effect.Effect<void, FileFailed> =>
      attempt("write", () => handle.write(piece)).pipe(
        Effect.flatMap(({ bytesWritten }) =>
          bytesWritten < piece.byteLength ? write(piece.subarray(bytesWritten)) : Effect.void
        )
      )
    const digest = (piece: Uint8Array) =>
      Effect.sync(() => {
        hash.update(piece)
        bytes += piece.byteLength
      })
    return {
      append: (chunk) =>
        Effect.forEach(
          pieces(chunk),
          (piece) => Effect.all([write(piece), digest(piece)], { concurrency: 2, discard: true }),
          { discard: true }
        ),
      seal: attempt("flush", () => handle.sync()).pipe(
        Effect.andThen(attempt("close", () => handle.close())),
        Effect.map(() => ({ file: path, sha256: hash.digest("hex"), bytes }))
      ),
      publish: attempt("rename", () => rename(temporary, path)).pipe(Effect.andThen(flushDirectory(dirname(path))))
    }
  }
)

/** Writes a small file whole: `make`, `append`, `seal`, `publish`. */
export const writeWhole: (path: string, bytes: Uint8Array) => Effect.Effect<Written, FileFailed> = Effect.fnUntraced(
  function* (path, bytes) {
    const file = yield* make(path)
    yield* file.append(bytes)
    const written = yield* file.seal
    yield* file.publish
    return written
  },
  Effect.scoped
)

/** Flushes a directory's entries to the disk, so that renames and removals outlast a loss of power. */
export const flushDirectory = (directory: string): Effect.Effect<void, FileFailed> =>
  attemptOn(directory)("flush", () => syncDirectory(directory))

/** Flushes a directory with everything in it, which was copied there by other means than those of this file. */
export const flushTree = (directory: string): Effect.Effect<void, FileFailed> =>
  attemptOn(directory)("flush", () => syncTree(directory))

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

const removeLeftovers = Effect.fnUntraced(function* (path: string): Effect.fn.Return<void, FileFailed> {
  const attempt = attemptOn(dirname(path))
  const leftovers = yield* attempt("list", () => leftoversOf(path))
  yield* Effect.forEach(leftovers, (name) => attempt(`remove ${basename(name)}`, () => rm(name, { force: true })), {
    discard: true
  })
})
