/** What one stage hands to another: a name, how it is saved, and, as a type, what it is. */
import type { AnyCodec, Codec } from "./Codec.ts"

/**
 * The name is what stages are connected by. A stage that `needs` an artefact can only follow one that `gives` it:
 * the compiler checks that for recipes in code, and decoding checks it for recipes in JSON.
 */
export interface Artefact<out Name extends string, in out A, out E = never, out R = never> {
  readonly name: Name
  /** For messages: `a vision tower with quantized weights`. */
  readonly description: string
  readonly codec: Codec<A, E, R>
}

/** Any artefact, when its value's type does not matter. */
export interface AnyArtefact<out E = unknown, out R = unknown> {
  readonly name: string
  readonly description: string
  readonly codec: AnyCodec<E, R>
}

/**
 * Defines an artefact. The name is also that of its file: letters, digits and hyphens. Throws an Error for any other.
 *
 * @example Artefact.make("scores", "accuracy by task", Codec.json(Scores))
 */
export const make = <const Name extends string, A, E, R>(
  name: Name,
  description: string,
  codec: Codec<A, E, R>
): Artefact<Name, A, E, R> => {
  if (!/^[a-z][a-z0-9-]*$/i.test(name) || /^step-\d+$/.test(name)) {
    throw new Error(`"${name}" cannot name an artefact: use letters, digits and hyphens, and not step-NUMBER`)
  }
  return { name, description, codec }
}

type ValueOf<X> = X extends Artefact<string, infer A, infer _E, infer _R> ? A : never

/** A list of artefacts as a record of their values by name. */
export type Values<Artefacts extends ReadonlyArray<AnyArtefact>> = {
  readonly [X in Artefacts[number] as X["name"]]: ValueOf<X>
}

type ErrorsOf<X> = X extends AnyArtefact<infer E, infer _R> ? E : never
type ServicesFor<X> = X extends AnyArtefact<infer _E, infer R> ? R : never

/** What saving or loading some artefacts can raise. */
export type ErrorOf<Artefacts extends ReadonlyArray<AnyArtefact>> = ErrorsOf<Artefacts[number]>

/** The services that saving or loading some artefacts takes. */
export type ServicesOf<Artefacts extends ReadonlyArray<AnyArtefact>> = ServicesFor<Artefacts[number]>
