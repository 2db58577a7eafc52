/** Bytes on their way into a file, whole or in pieces that are made one after the other: a large tensor is never in memory twice. */
import * as Effect from "effect/Effect"
import type { FileFailed } from "../Errors.ts"
import type { AtomicFile } from "./AtomicFile.ts"

/** The memory of a piece may be used again when the next one is asked for. */
export type Pieces = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

const iteratorOf = (pieces: Pieces) => {
  if (pieces instanceof Uint8Array) return [pieces][Symbol.iterator]()
  return Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]()
}

/**
 * Appends pieces up to `most` bytes, and gives how many bytes there were: more than `most` where a piece went beyond, which is not written.
 * An iterator that is left early, or interrupted, is told so by its `return`. One that throws is a defect.
 */
export const appendPieces = (file: AtomicFile, pieces: Pieces, most: number): Effect.Effect<number, FileFailed> =>
  Effect.acquireUseRelease(
    Effect.sync(() => iteratorOf(pieces)),
    (iterator) =>
      Effect.gen(function* () {
        let given = 0
        while (given <= most) {
          const { done, value } = yield* Effect.promise(async () => iterator.next())
          if (done === true) break
          given += value.byteLength
          if (given <= most) yield* file.append(value)
        }
        return given
      }),
    (iterator) => Effect.promise(async () => iterator.return?.())
  )
