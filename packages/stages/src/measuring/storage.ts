/** How fast files are read and written: timed on their own disks, where they are large enough, or many enough, to matter. */
import { createHash } from "node:crypto"
import { closeSync, openSync, readSync } from "node:fs"
import { join } from "node:path"
import { AtomicFile, checkOutsideSync, largestMagnitude, nearestExisting } from "@speedq/formats"
import { openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Bytes that are read or written to find out. */
const probeBytes = 32 * 2 ** 20
/** Less is read and written in no time. */
const leastBytes = 256 * 2 ** 20

/** Seconds of a byte or of a file, by what was timed. */
const known = new Map<string, number>()

const remembered = <E>(key: string, measure: Effect.Effect<number, E>): Effect.Effect<number> =>
  Effect.suspend(() => {
    const before = known.get(key)
    if (before !== undefined) return Effect.succeed(before)
    // A disk that cannot be timed is full, or not ours: other checks say so.
    return Effect.map(
      Effect.orElseSucceed(measure, () => 0),
      (seconds) => {
        known.set(key, seconds)
        return seconds
      }
    )
  })

/** What becomes of bytes that are read: weights are searched for numbers that are none, files have digests. */
const looks = {
  weights: (bytes: Uint8Array<ArrayBuffer>) => largestMagnitude("BF16", bytes),
  digest: (bytes: Uint8Array<ArrayBuffer>) => createHash("sha256").update(bytes).digest()
}

const timeReading = (file: string, look: (bytes: Uint8Array<ArrayBuffer>) => unknown): number => {
  const buffer = new Uint8Array(probeBytes)
  checkOutsideSync(file, "read")
  const descriptor = openSync(file, "r")
  const once = (): number => {
    const begun = performance.now()
    const read = readSync(descriptor, buffer, 0, probeBytes, 0)
    look(buffer.subarray(0, read))
    return (performance.now() - begun) / 1000 / Math.max(1, read)
  }
  try {
    // The system keeps what was read: all stages but the first find it there.
    once()
    return Math.min(once(), once())
  } finally {
    closeSync(descriptor)
  }
}

/** Seconds that reading so many bytes takes, by the time that a part of `file` takes. */
export const readingSeconds = (
  file: string | undefined,
  bytes: number,
  what: keyof typeof looks
): Effect.Effect<number> => {
  if (file === undefined || bytes < leastBytes) return Effect.succeed(0)
  const measure = Effect.try({ try: () => timeReading(file, looks[what]), catch: String })
  return Effect.map(remembered(`${what} ${file}`, measure), (each) => bytes * each)
}

const timed = <E>(work: Effect.Effect<unknown, E, Scope.Scope>): Effect.Effect<number, E> =>
  Effect.suspend(() => {
    const begun = performance.now()
    return Effect.map(Effect.scoped(work), () => (performance.now() - begun) / 1000)
  })

/** Writes a file as states are written, and lets nothing of it appear. */
const write = Effect.fnUntraced(function* (directory: string, bytes: number) {
  const file = yield* AtomicFile.make(join(directory, "speed-of-this-disk"))
  yield* file.append(new Uint8Array(bytes))
  yield* file.seal
  yield* AtomicFile.flushDirectory(directory)
})

/** Seconds that saving takes in a directory, which need not exist yet. */
export const savingSeconds = (directory: string | undefined, bytes: number): Effect.Effect<number> => {
  if (directory === undefined || bytes < leastBytes) return Effect.succeed(0)
  const disk = nearestExisting(directory)
  return Effect.map(
    remembered(`save ${disk}`, timed(write(disk, probeBytes))),
    (seconds) => (bytes * seconds) / probeBytes
  )
}

/** Seconds that so many small files take there: what is written counts less than that each is flushed to the disk. */
export const smallFilesSeconds = (directory: string | undefined, count: number): Effect.Effect<number> => {
  if (directory === undefined) return Effect.succeed(0)
  const disk = nearestExisting(directory)
  return Effect.map(remembered(`file ${disk}`, timed(write(disk, 1))), (seconds) => count * seconds)
}

/** Seconds that config and tokenizer of a model take to read. */
export const openingSeconds = (model: string): Effect.Effect<number> =>
  remembered(`open ${model}`, timed(openModelDirectory(model)))
