/** All files of a model: what is kept, and the rest from where it comes, kept where that is wanted. */
import * as Effect from "effect/Effect"
import { bytesOf, type ModelIndex, type ModelPart, partsOf } from "../../model/ModelIndex.ts"
import { PartDamaged } from "../Errors.ts"
import type { PartStore } from "./PartStore.ts"
import { sha256 } from "./Sha256.ts"

interface Collecting<E, H> {
  /** Bytes of a part that is not kept; tells how many came since it told last. */
  readonly fetchPart: (part: ModelPart, received: (bytes: number) => void) => Effect.Effect<Uint8Array<ArrayBuffer>, E>
  /** The part as it is kept. */
  readonly find: (part: ModelPart) => Effect.Effect<Blob | undefined>
  /** Where a part that came stays. */
  readonly hold: (part: ModelPart, bytes: Uint8Array<ArrayBuffer>) => Effect.Effect<Blob, H>
  /** Works while no other page works with the part. */
  readonly alone: <A, F>(part: ModelPart, work: Effect.Effect<A, F>) => Effect.Effect<A, F>
  readonly told: (file: string, done: number, total: number) => void
}

/**
 * The files of a model by name. What comes is compared with its digest. Fails with PartDamaged, and with what fetching and holding fail
 * with; parts that came before are kept.
 */
export const collectModel = Effect.fnUntraced(function* <E, H>(
  index: ModelIndex,
  { fetchPart, find, hold, alone, told }: Collecting<E, H>
) {
  const total = bytesOf(index)
  let done = 0
  const blobs = new Map<string, Blob>()
  const collect = Effect.fnUntraced(function* (part: ModelPart) {
    const kept = yield* find(part)
    const count = (bytes: number) => {
      done += bytes
      told(part.file, done, total)
    }
    if (kept !== undefined) {
      count(part.bytes)
      return kept
    }
    const bytes = yield* fetchPart(part, count)
    const found = sha256(bytes)
    if (found !== part.sha256) return yield* new PartDamaged({ file: part.file, expected: part.sha256, found })
    return yield* hold(part, bytes)
  })
  for (const part of partsOf(index)) {
    if (!blobs.has(part.sha256)) blobs.set(part.sha256, yield* alone(part, collect(part)))
  }
  return index.files.map(
    ({ name, parts }) => [name, new Blob(parts.map(({ sha256: digest }) => blobs.get(digest)!))] as const
  )
})

/** How many bytes of parts are kept. */
export const keptBytes = Effect.fnUntraced(function* (parts: readonly ModelPart[], store: PartStore) {
  let bytes = 0
  for (const part of parts) if ((yield* store.find(part)) !== undefined) bytes += part.bytes
  return bytes
})
