/** How fast a checkpoint is read, and how fast states are saved: timed on the files' own disks, where they are large enough to matter. */
import { createHash } from "node:crypto"
import { closeSync, existsSync, openSync, readSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"

/** Bytes that are read or written to find out. */
const probeBytes = 64 * 2 ** 20
/** Less is read and written in no time. */
const leastBytes = 256 * 2 ** 20

/** Seconds of a byte, by file or directory. */
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

/** What is read is looked at, too: checkpoints for numbers that are none, artefacts for their digests. */
const timeReading = (file: string): number => {
  const buffer = new Uint8Array(probeBytes)
  const descriptor = openSync(file, "r")
  const once = (): number => {
    const begun = performance.now()
    const read = readSync(descriptor, buffer, 0, probeBytes, 0)
    createHash("sha256").update(buffer.subarray(0, read)).digest()
    return (performance.now() - begun) / 1000 / Math.max(1, read)
  }
  try {
    // The system keeps what was read: all stages but the first find it there.
    once()
    return once()
  } finally {
    closeSync(descriptor)
  }
}

/** Seconds that reading so many bytes takes, by the time that a part of `file` takes. */
export const readingSeconds = (file: string | undefined, bytes: number): Effect.Effect<number> =>
  file === undefined || bytes < leastBytes
    ? Effect.succeed(0)
    : Effect.map(remembered(file, Effect.try({ try: () => timeReading(file), catch: String })), (each) => bytes * each)

/** The directory itself, or the nearest one above it that exists. */
const nearest = (directory: string): string => {
  let current = resolve(directory)
  while (!existsSync(current) && dirname(current) !== current) current = dirname(current)
  return current
}

/** Writes a file as states are written, and lets nothing of it appear. */
const timeWriting = Effect.fnUntraced(function* (directory: string) {
  const bytes = new Uint8Array(probeBytes)
  const begun = performance.now()
  const file = yield* AtomicFile.make(join(directory, "speed-of-this-disk"))
  yield* file.append(bytes)
  yield* file.seal
  return (performance.now() - begun) / 1000 / probeBytes
}, Effect.scoped)

/** Seconds that saving takes in a directory, which need not exist yet. */
export const savingSeconds = (directory: string | undefined, bytes: number): Effect.Effect<number> => {
  if (directory === undefined || bytes < leastBytes) return Effect.succeed(0)
  const disk = nearest(directory)
  return Effect.map(remembered(`save ${disk}`, timeWriting(disk)), (each) => bytes * each)
}
