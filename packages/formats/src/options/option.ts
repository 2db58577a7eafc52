/**
 * Options that people write in JSON: of stages, quantizers, export formats. What an option means is said once, where it is
 * defined; help, hover texts, docs/options.md and the JSON Schema of recipes are made from it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"

/** What a person wants to know of an option. */
export interface OptionInfo {
  /** What it does, in one or two sentences. */
  readonly description: string
  /** What its number counts: "steps", "bytes", "bits", "tokens". */
  readonly unit?: string
  /** Where its default comes from: a section of the paper, the reference, a measurement of ours. */
  readonly source?: string
  /**
   * How a run is carried out, not what it computes: caches, workers, what becomes of bad records. Such an option may be changed at
   * any time and is no part of a stage's key.
   */
  readonly policy?: boolean
}

/** An option that may be left out: `value`, on the JSON side, stands for it then. */
export const option = <S extends Schema.Top>(schema: S, value: S["Encoded"], info: OptionInfo) =>
  withDefault(described(schema, { ...info, default: value }), value)

/**
 * An option that came later than files that hold options of its kind: `value` stands for it where it is left out, and `value` is
 * left out where options are written, so that what was written before reads and is written the same.
 */
export const laterOption = <S extends Schema.Top>(schema: S, value: S["Encoded"], info: OptionInfo) => {
  const known = described(schema, { ...info, default: value })
  return Schema.optionalKey(Schema.toEncoded(known)).pipe(
    Schema.decodeTo(known, {
      decode: SchemaGetter.withDefault(Effect.succeed(value)),
      encode: SchemaGetter.transformOptional(Option.filter((written: S["Encoded"]) => written !== value))
    })
  )
}

/** An option without a default that may be left out. */
export const optionalOption = <S extends Schema.Top>(schema: S, info: OptionInfo) =>
  Schema.optionalKey(described(schema, info))

/** An option that must be given. */
export const requiredOption = <S extends Schema.Top>(schema: S, info: OptionInfo): S => described(schema, info)

/** A name in code: editors complete the known ones, and any other is one that a plugin may bring. */
export type OpenName<Known extends string> = Known | (string & Record<never, never>)

/** An option that names one of `known`, or what a plugin brings. */
export const nameOption = <const Known extends string>(known: readonly Known[], info: OptionInfo) => {
  const names = [...known.map((name) => JSON.stringify(name)), "(string & Record<never, never>)"]
  const schema = requiredOption(Schema.NonEmptyString, info).pipe(Schema.annotateEncoded({ inCode: names.join(" | ") }))
  return schema as unknown as Schema.Codec<string, OpenName<Known>>
}

/** A default without a description, for the parts of an option that its own description covers. */
export const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

/** The JSON side carries what is known of an option: that is what recipes are written in, "1 GiB" and not bytes. */
const described = <S extends Schema.Top>(schema: S, info: OptionInfo & { readonly default?: S["Encoded"] }): S =>
  schema.pipe(Schema.annotateEncoded({ ...info })) as S

/** Each takes the other; keys are compared as well, since what is optional may be missing. */
type Same<A, B> = [A, B, keyof A, keyof B] extends [B, A, keyof B, keyof A] ? unknown : never

/**
 * The schema of options, what is written of them known as the interface `Options`, whose comments editors show. Does not
 * compile where interface and schema differ.
 *
 * @example config: writtenAs<QatOptions>()(QatConfig)
 */
export const writtenAs =
  <Options>() =>
  <T, E>(schema: Schema.Codec<T, E> & Same<E, Options>): Schema.Codec<T, Options> =>
    schema as Schema.Codec<T, never>
