/** Cuts a file into parts of which each is a file. */
import { rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { AtomicFile, attemptOn, openOutside } from "@speedq/formats"
import * as Effect from "effect/Effect"

/**
 * A file of at most `most` bytes stays; a larger one becomes NAME.000, NAME.001, ... beside its place, and goes. Gives what is there, in
 * order. Fails with FileFailed.
 */
export const splitFile = Effect.fnUntraced(function* (whole: AtomicFile.Written, most: number) {
  if (whole.bytes <= most) return [whole]
  const { file: path } = whole
  const handle = yield* openOutside(path)
  const parts: AtomicFile.Written[] = []
  const block = new Uint8Array(most)
  for (let start = 0; start < whole.bytes; start += most) {
    const length = Math.min(most, whole.bytes - start)
    let read = 0
    while (read < length) {
      const { bytesRead } = yield* attemptOn(path)("read", () => handle.read(block, read, length - read, start + read))
      if (bytesRead === 0) return yield* Effect.die(new Error(`${path} became shorter while it was cut into parts`))
      read += bytesRead
    }
    const name = `${basename(path)}.${String(parts.length).padStart(3, "0")}`
    parts.push(yield* AtomicFile.writeWhole(join(dirname(path), name), block.subarray(0, length)))
  }
  yield* attemptOn(path)("remove", () => rm(path))
  return parts
}, Effect.scoped)
