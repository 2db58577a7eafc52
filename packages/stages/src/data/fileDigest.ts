/** Digests of files, computed once in a process as long as a file's size, times and inode stay the same. */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"

/** Files that are hashed whole up to this size, where a sample of their bytes will do for larger ones. */
const wholeUpTo = 64 * 2 ** 20
const sampleBytes = 2 ** 20
const samples = 64

type Span = { readonly start: number; readonly end: number }

/** Of a checkpoint of gigabytes: the header, and a megabyte at every 64th of the way. */
const sampled = (size: number): readonly Span[] =>
  Array.from({ length: samples }, (_, i) => {
    const start = Math.floor((i * (size - sampleBytes)) / (samples - 1))
    return { start, end: start + sampleBytes - 1 }
  })

const known = new Map<string, { readonly identity: string; readonly digest: string }>()

/** SHA-256 of a file's size and bytes; with `whole` false, of a sample of the bytes where there are many. Rejects where it cannot be read. */
export const fileDigest = async (file: string, { whole }: { readonly whole: boolean }): Promise<string> => {
  const { size: bytes, mtimeNs, ctimeNs, ino } = await stat(file, { bigint: true })
  const identity = `${whole} ${bytes} ${mtimeNs} ${ctimeNs} ${ino}`
  const before = known.get(file)
  if (before?.identity === identity) return before.digest
  const size = Number(bytes)
  const hash = createHash("sha256").update(`${size}\n`)
  for (const span of whole || size <= wholeUpTo ? [{ start: 0, end: size - 1 }] : sampled(size)) {
    if (span.end < span.start) continue
    for await (const chunk of createReadStream(file, { ...span, highWaterMark: sampleBytes })) {
      hash.update(chunk as Uint8Array)
    }
  }
  const digest = hash.digest("hex")
  known.set(file, { identity, digest })
  return digest
}
