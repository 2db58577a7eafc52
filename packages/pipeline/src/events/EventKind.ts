/**
 * A kind of event: its name, its fields, and how to say it. Stages define their own with the same function,
 * and every sink (terminal, log file, TensorBoard) handles them without knowing them.
 */
import type * as Option from "effect/Option"
import type { JsonObject } from "effect/Schema"
import * as Schema from "effect/Schema"

type Fields = { readonly [name: string]: Schema.Codec<unknown, unknown> }
type Payload<F extends Fields> = Schema.Struct<F>["Type"]

/** One kind of event. `line` is the text for a person, if it deserves one; `scalars` are numbers to draw over steps. */
export interface EventKind<Tag extends string = string, P = never> {
  readonly tag: Tag
  readonly warning: boolean
  /** Whether it is something that the run was for, such as its end. */
  readonly result: boolean
  readonly line: (event: P) => string | undefined
  readonly scalars: (event: P) => { readonly [name: string]: number }
  /** Fields as JSON; NaN and infinities become text. */
  readonly encode: (event: P) => JsonObject
  readonly decode: (json: unknown) => Option.Option<P>
}

/** What an event of a kind carries. */
export type EventOf<K> = K extends { readonly encode: (event: infer P) => JsonObject } ? P : never

/**
 * Defines a kind of event.
 *
 * @example
 * const LayerClipped = eventKind("LayerClipped", { layer: Schema.String, ratio: Schema.Number }, {
 *   line: ({ layer, ratio }) => `${layer}: clipped at ${ratio}`
 * })
 */
export const eventKind = <const Tag extends string, const F extends Fields>(
  tag: Tag,
  fields: F,
  options: {
    readonly warning?: boolean
    readonly result?: boolean
    readonly line?: (event: Payload<F>) => string | undefined
    readonly scalars?: (event: Payload<F>) => { readonly [name: string]: number }
  } = {}
): EventKind<Tag, Payload<F>> => {
  const codec = Schema.toCodecJson(Schema.Struct(fields))
  const encode = Schema.encodeUnknownSync(codec)
  return {
    tag,
    warning: options.warning ?? false,
    result: options.result ?? false,
    line: options.line ?? (() => undefined),
    scalars: options.scalars ?? (() => ({})),
    encode: (event) => encode(event) as JsonObject,
    decode: Schema.decodeUnknownOption(codec)
  }
}
