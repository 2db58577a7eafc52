/** Small files read whole, and JSON in them. */
import { readFile, stat } from "node:fs/promises"
import { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** What the system refuses is a FileFailed, anything else a defect. */
export const refused =
  (file: string, operation: string) =>
  (error: unknown): FileFailed => {
    if (!(error instanceof Error) || !("code" in error)) throw error
    return new FileFailed({ file, operation, code: String(error.code), reason: error.message })
  }

/** Runs an asynchronous system call on `file`. */
export const attempt = <A>(file: string, operation: string, call: () => Promise<A>): Effect.Effect<A, FileFailed> =>
  Effect.tryPromise({ try: call, catch: refused(file, operation) })

/** More than any picture, tokenizer or list of data sets has. */
const mostBytes = 2 ** 30

/**
 * The bytes of a file that comes from outside. A pipe or a device, whose reading may never end, and a file of more than a gigabyte
 * are refused before anything is read.
 */
export const readBytes = Effect.fnUntraced(function* (file: string): Effect.fn.Return<Uint8Array, FileFailed> {
  const info = yield* attempt(file, "read", () => stat(file))
  const refuse = (code: string, reason: string) => new FileFailed({ file, operation: "read", code, reason })
  if (info.isDirectory()) return yield* refuse("EISDIR", "it is a directory")
  if (!info.isFile()) return yield* refuse("EINVAL", "it is no regular file, but a pipe, a socket or a device")
  if (info.size > mostBytes) {
    return yield* refuse("EFBIG", `it has ${info.size} bytes, more than the ${mostBytes} that are read of such a file`)
  }
  return yield* attempt(file, "read", () => readFile(file))
})

/** Succeeds with undefined where there is no such file. */
export const ifPresent = <A, R>(read: Effect.Effect<A, FileFailed, R>): Effect.Effect<A | undefined, FileFailed, R> =>
  Effect.catchIf(
    read,
    (error) => error.code === "ENOENT",
    () => Effect.succeed(undefined)
  )

/** Decodes bytes as UTF-8 JSON of a schema; `invalid` makes the error out of a reason. */
export const decodeJson = <S extends Schema.Decoder<unknown>, E>(
  bytes: Uint8Array,
  schema: S,
  invalid: (reason: string) => E
): Effect.Effect<S["Type"], E> =>
  Effect.try({
    try: (): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
    catch: (error) => invalid(`not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }).pipe(
    Effect.flatMap((json) =>
      Schema.decodeUnknownEffect(schema)(json).pipe(Effect.mapError((error) => invalid(error.message)))
    )
  )
