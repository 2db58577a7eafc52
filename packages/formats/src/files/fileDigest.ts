/** Size and SHA-256 of a file that is there, to be compared with what a writer computed. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import type { FileFailed } from "../Errors.ts"
import { attemptOn } from "../internal/attempt.ts"
import type { Written } from "./AtomicFile.ts"
import { openOutside } from "./outsideFile.ts"

/** Enough for one reading to be worth its way to the disk. */
const blockBytes = 2 ** 18

/** Size and SHA-256 of what `read` puts into the beginning of a block, time after time, until that is nothing. */
export const digestOf = Effect.fnUntraced(function* <E, R>(
  read: (block: Uint8Array) => Effect.Effect<number, E, R>
): Effect.fn.Return<Omit<Written, "file">, E, R> {
  const hash = createHash("sha256")
  const block = new Uint8Array(blockBytes)
  let bytes = 0
  for (let length = yield* read(block); length > 0; length = yield* read(block)) {
    hash.update(block.subarray(0, length))
    bytes += length
  }
  return { sha256: hash.digest("hex"), bytes }
})

/** Reads a whole file, block by block. */
export const fileDigest: (file: string) => Effect.Effect<Written, FileFailed> = Effect.fnUntraced(function* (file) {
  const handle = yield* openOutside(file)
  const read = (block: Uint8Array) =>
    Effect.map(
      attemptOn(file)("read", () => handle.read(block)),
      ({ bytesRead }) => bytesRead
    )
  return { file, ...(yield* digestOf(read)) }
}, Effect.scoped)
