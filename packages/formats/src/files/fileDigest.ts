/** Size and SHA-256 of a file that is there, to be compared with what a writer computed. */
import { createHash } from "node:crypto"
import type * as Effect from "effect/Effect"
import type { FileFailed } from "../Errors.ts"
import { attemptOn } from "../internal/attempt.ts"
import type { Written } from "./AtomicFile.ts"
import { piecesOf } from "./outsideFile.ts"

/** Reads a whole file, in pieces. */
export const fileDigest = (file: string): Effect.Effect<Written, FileFailed> =>
  attemptOn(file)("read", async () => {
    const hash = createHash("sha256")
    let bytes = 0
    for await (const piece of piecesOf(file)) {
      hash.update(piece)
      bytes += piece.length
    }
    return { file, sha256: hash.digest("hex"), bytes }
  })
