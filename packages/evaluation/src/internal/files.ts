/** Files read by ranges and in pieces. */
import { attemptOn, FileFailed, openOutside } from "@speedq/formats"
import * as Effect from "effect/Effect"

const pieceBytes = 2 ** 20
/** Files that the system makes up say that they are empty. */
const leastBytes = 2 ** 12

/** Reads a file from its beginning to its end, a mebibyte at a time; every piece is a buffer of its own, of a small file as small as that. */
export const readPieces = <E, R>(file: string, use: (piece: Uint8Array) => Effect.Effect<void, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* openOutside(file)
      const { size } = yield* attemptOn(file)("read", () => handle.stat())
      const most = Math.min(pieceBytes, Math.max(leastBytes, size))
      for (;;) {
        const { bytesRead, buffer } = yield* attemptOn(file)("read", () => handle.read(new Uint8Array(most)))
        if (bytesRead === 0) return
        yield* use(buffer.subarray(0, bytesRead))
      }
    })
  )

/** The bytes `start` to `end` (exclusive) of a file. */
export const readRange = (file: string, start: number, end: number): Effect.Effect<Uint8Array, FileFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* openOutside(file)
      const bytes = new Uint8Array(end - start)
      for (let filled = 0; filled < bytes.length; ) {
        const piece = bytes.subarray(filled)
        const { bytesRead } = yield* attemptOn(file)("read", () => handle.read(piece, 0, piece.length, start + filled))
        if (bytesRead === 0) {
          const reason = `it ends at byte ${start + filled}, not at ${end} as before; something changed it since`
          return yield* new FileFailed({ file, operation: "read", code: "EOF", reason })
        }
        filled += bytesRead
      }
      return bytes
    })
  )
