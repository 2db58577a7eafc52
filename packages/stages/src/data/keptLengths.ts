/**
 * Estimated lengths of a stage's samples, kept beside its states: a stage that continues need not read every record and the header
 * of every picture again. They belong to one digest of all that they were made of, and are used for nothing else.
 */
import { createHash } from "node:crypto"
import { AtomicFile, readBytes } from "@speedq/formats"
import { emit, RunEvents, whileDoing } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Where lengths are kept, and the digest of what they are made of. */
export interface KeptLengths {
  readonly file: string
  readonly of: string
}

/** Raised when the estimate changes: lengths of another version are made anew. */
const lengthVersion = 2

/** The first line of the file; the lengths follow, 4 bytes each, the lowest first. */
const Head = Schema.fromJsonString(
  Schema.Struct({ version: Schema.Int, of: Schema.String, count: Schema.Int, sha256: Schema.String })
)

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const bytesOf = (lengths: readonly number[]): Uint8Array => {
  const view = new DataView(new ArrayBuffer(4 * lengths.length))
  for (const [at, length] of lengths.entries()) view.setInt32(4 * at, length, true)
  return new Uint8Array(view.buffer)
}

const lengthsOf = ({ buffer, byteOffset, byteLength }: Uint8Array): readonly number[] => {
  const view = new DataView(buffer, byteOffset, byteLength)
  return Array.from({ length: byteLength / 4 }, (_, at) => view.getInt32(4 * at, true))
}

/** The lengths of a file; a string says why it cannot be used. */
const decode = (content: Uint8Array, of: string, count: number): readonly number[] | string => {
  const end = content.indexOf(0x0a)
  const head = Option.getOrUndefined(
    Schema.decodeUnknownOption(Head)(new TextDecoder().decode(content.subarray(0, Math.max(0, end))))
  )
  const body = content.subarray(end + 1)
  if (head === undefined || sha256(body) !== head.sha256 || body.byteLength !== 4 * head.count) return "it is damaged"
  const isOurs = head.version === lengthVersion && head.of === of && head.count === count
  return isOurs ? lengthsOf(body) : "it is of other data, options or another version"
}

/** The kept lengths of `count` samples, or else those that `measure` gives, kept from then on. Fails with StorageFailed. */
export const keepingLengths = Effect.fn("keepingLengths")(function* <E, R>(
  { file, of }: KeptLengths,
  count: number,
  measure: Effect.Effect<readonly number[], E, R>
) {
  const content = yield* Effect.orElseSucceed(readBytes(file), () => undefined)
  const kept = content === undefined ? undefined : decode(content, of, count)
  if (kept !== undefined && typeof kept !== "string") return kept
  if (kept !== undefined) {
    const message = `${file}, the lengths of samples, cannot be used: ${kept}; they are measured again`
    yield* emit(RunEvents.Warning, { message })
  }
  const lengths = yield* measure
  const body = bytesOf(lengths)
  const head = Schema.encodeSync(Head)({ version: lengthVersion, of, count, sha256: sha256(body) })
  const whole = Buffer.concat([Buffer.from(`${head}\n`), body])
  yield* whileDoing("keep the lengths of samples", file)(AtomicFile.writeWhole(file, whole))
  return lengths
})
