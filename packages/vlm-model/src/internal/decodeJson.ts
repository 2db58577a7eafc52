/** JSON in the bytes of a file. */
import { parseJson } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Decodes bytes as UTF-8 JSON of a schema; `invalid` makes the error out of a reason. */
export const decodeJson = <S extends Schema.Decoder<unknown>, E>(
  bytes: Uint8Array,
  schema: S,
  invalid: (reason: string) => E
): Effect.Effect<S["Type"], E> =>
  Effect.try({
    try: (): unknown => parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
    catch: (error) => invalid(`not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }).pipe(
    Effect.flatMap((json) =>
      Schema.decodeUnknownEffect(schema)(json).pipe(Effect.mapError((error) => invalid(error.message)))
    )
  )
