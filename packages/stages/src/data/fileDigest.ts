/**
 * Digests of files: of all their bytes, computed once as long as a file's size, times and inode stay the same. Those of large files are
 * kept in the user's cache, for the processes that come later.
 */
import { createHash } from "node:crypto"
import { stat } from "node:fs/promises"
import { resolve } from "node:path"
import { piecesOf } from "@speedq/formats"
import { keepDigest, keptDigest } from "./digestCache.ts"

/** Reading less than this again costs less than a cache is worth. */
const keptFrom = 64 * 2 ** 20
/** A file that changed so shortly before it was read may change once more without another time. */
const settledMilliseconds = 2000

/** Told when a large file is about to be read. */
export type OnReading = (file: string, bytes: number) => void

const known = new Map<string, { readonly identity: string; readonly digest: string }>()

/** SHA-256 of a file's size and bytes. Rejects where it cannot be read. */
export const fileDigest = async (file: string, onReading: OnReading = () => {}): Promise<string> => {
  const { size, mtimeNs, ctimeNs, ctimeMs, dev, ino } = await stat(file, { bigint: true })
  const identity = `${size} ${mtimeNs} ${ctimeNs} ${dev} ${ino}`
  const before = known.get(file)
  if (before?.identity === identity) return before.digest
  const isLarge = size >= keptFrom
  const path = resolve(file)
  const kept = isLarge ? await keptDigest(path, identity) : undefined
  if (kept === undefined && isLarge) onReading(file, Number(size))
  const digest = kept ?? (await digestOf(file, size))
  known.set(file, { identity, digest })
  const isSettled = Date.now() - Number(ctimeMs) > settledMilliseconds
  if (kept === undefined && isLarge && isSettled) await keepDigest(path, { identity, digest })
  return digest
}

const digestOf = async (file: string, size: bigint): Promise<string> => {
  const hash = createHash("sha256").update(`${size}\n`)
  for await (const piece of piecesOf(file)) hash.update(piece)
  return hash.digest("hex")
}
