/** Kinds of units of work: what is asked and what is answered, in JSON. Tensors go with them in files. */
import type * as Effect from "effect/Effect"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"

/** A kind of unit of work that another process can compute. Numbers keep every bit of a double. */
export interface UnitKind<in out In, in out Out> {
  readonly name: string
  readonly encodeInput: (input: In) => Json
  readonly decodeInput: (json: unknown) => Effect.Effect<In, Schema.SchemaError>
  readonly encodeOutput: (output: Out) => Json
  readonly decodeOutput: (json: unknown) => Effect.Effect<Out, Schema.SchemaError>
}

/**
 * Defines a kind of unit.
 *
 * @example
 * const square = unitKind("square", { input: Schema.Number, output: Schema.Number })
 */
export const unitKind = <In, Out>(
  name: string,
  schemas: { readonly input: Schema.Codec<In, unknown>; readonly output: Schema.Codec<Out, unknown> }
): UnitKind<In, Out> => {
  const [input, output] = [Schema.toCodecJson(schemas.input), Schema.toCodecJson(schemas.output)]
  return {
    name,
    encodeInput: Schema.encodeSync(input),
    decodeInput: Schema.decodeUnknownEffect(input),
    encodeOutput: Schema.encodeSync(output),
    decodeOutput: Schema.decodeUnknownEffect(output)
  }
}
