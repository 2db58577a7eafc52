/** Looks at records of a mixture without decoding anything that they show: digests of their lines, and which files they name. */
import { createHash } from "node:crypto"
import { type FileHandle, open } from "node:fs/promises"
import { mostBytes } from "@speedq/formats"
import { carefulData, readRecord, referenceData, type Shown, shownBy } from "@speedq/vlm-model"
import * as Result from "effect/Result"

/** Bytes of a digest: enough to tell the lines of the largest data sets apart. */
export const digestBytes = 8

/** Lines of an annotation file. */
export interface SurveyedLines {
  /** Their numbers, counted from 0, ascending. */
  readonly lines: Uint32Array
  /** [lines.length, digestBytes] */
  readonly digests: Uint8Array
  /** What each shows; undefined where it is no record. */
  readonly shown: readonly (Shown | undefined)[]
}

/** What a line shows, read carefully, or else as the reference reads it: which of the two a stage does is its own option. */
const shownIn = (line: Uint8Array): Shown | undefined =>
  readRecord(line).pipe(
    Result.flatMap((record) => Result.orElse(shownBy(record, carefulData), () => shownBy(record, referenceData))),
    Result.getOrUndefined
  )

/** The digest of a line; its end does not count, so that the last one may have none. */
export const lineDigest = (line: Uint8Array): Uint8Array => {
  let end = line.length
  while (end > 0 && (line[end - 1] === 0x0a || line[end - 1] === 0x0d)) end--
  return createHash("sha256").update(line.subarray(0, end)).digest().subarray(0, digestBytes)
}

const readSpan = async (handle: FileHandle, start: number, end: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(end - start)
  let done = 0
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}

/** Most bytes that are read at a time: lines that stand close together are read together. */
const spanBytes = 2 ** 20

/** Calls `see` with the bytes of some lines, ascending. `starts` are the offsets of all lines, then the end. */
export const visitLines = async (
  file: string,
  starts: Float64Array,
  lines: Uint32Array,
  see: (line: Uint8Array, place: number) => void
): Promise<void> => {
  const handle = await open(file, "r")
  try {
    for (let first = 0; first < lines.length; ) {
      const from = starts[lines[first]!]!
      let last = first
      while (last + 1 < lines.length && starts[lines[last + 1]! + 1]! - from <= spanBytes) last++
      // Of a line that is too long to be read, as much as tells so.
      const bytes = await readSpan(handle, from, Math.min(starts[lines[last]! + 1]!, from + mostBytes.document + 1))
      for (let place = first; place <= last; place++) {
        see(bytes.subarray(starts[lines[place]!]! - from, starts[lines[place]! + 1]! - from), place)
      }
      first = last + 1
    }
  } finally {
    await handle.close()
  }
}

/** Numbers without repetition, ascending. */
export const ascending = (lines: Uint32Array): Uint32Array => {
  const sorted = lines.slice().sort()
  return sorted.filter((line, at) => at === 0 || line !== sorted[at - 1])
}

/** Surveys some lines of an annotation file, given ascending. */
export const surveyLines = async (file: string, starts: Float64Array, lines: Uint32Array): Promise<SurveyedLines> => {
  const digests = new Uint8Array(lines.length * digestBytes)
  const shown: (Shown | undefined)[] = []
  await visitLines(file, starts, lines, (line, place) => {
    digests.set(lineDigest(line), place * digestBytes)
    shown.push(shownIn(line))
  })
  return { lines, digests, shown }
}
