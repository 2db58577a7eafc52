/** How a value is saved and loaded: JSON for what is small, named tensors for what is large. */
import type { Safetensors } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { SavedFileDamaged } from "../Errors.ts"

/**
 * A value taken apart. A tensor's `data` runs when its turn to be written comes and may give its bytes in chunks,
 * so that gigabytes of weights and moments are written without a second copy of them.
 */
export interface Saved<out E = never, out R = never> {
  readonly data: Json
  readonly tensors: ReadonlyArray<Safetensors.TensorSource<E, R>>
}

/** What a file holds: the JSON part, and the tensors, open as long as the scope of `load` is. */
export interface Stored {
  readonly data: Json
  readonly tensors: Safetensors.Safetensors
}

/**
 * Saves and loads values of `A`. `load(save(a))` must be `a` bit for bit. Numbers in the JSON part keep every bit of a double;
 * a loaded value may keep reading tensors lazily, until the stage that asked for it ends.
 */
export interface Codec<in out A, out E = never, out R = never> {
  readonly save: (value: A) => Saved<E, R>
  readonly load: (stored: Stored) => Effect.Effect<A, E | SavedFileDamaged, R | Scope.Scope>
}

/** Any codec, when its value's type does not matter. */
export interface AnyCodec<out E = unknown, out R = unknown> {
  readonly save: (value: never) => Saved<E, R>
  readonly load: (stored: Stored) => Effect.Effect<unknown, E | SavedFileDamaged, R | Scope.Scope>
}

/**
 * A codec from a schema for the JSON part and functions for the tensors.
 *
 * @example
 * const Weights = Codec.make({
 *   data: Schema.Struct({ step: Schema.Int }),
 *   save: (w: { step: number; values: Float32Array }) => ({
 *     data: { step: w.step },
 *     tensors: [{ name: "values", dtype: "F32", shape: [w.values.length], data: Effect.succeed(bytesOf(w.values)) }]
 *   }),
 *   load: ({ step }, tensors) =>
 *     Effect.map(tensors.read("values"), (bytes) => ({ step, values: typedView("F32", bytes) }))
 * })
 */
export const make = <A, D, E = never, R = never, E2 = never, R2 = never>(options: {
  readonly data: Schema.Codec<D, unknown>
  readonly save: (value: A) => {
    readonly data: D
    readonly tensors: ReadonlyArray<Safetensors.TensorSource<E, R>>
  }
  readonly load: (data: D, tensors: Safetensors.Safetensors) => Effect.Effect<A, E2, R2 | Scope.Scope>
}): Codec<A, E | E2, R | R2> => {
  const codec = Schema.toCodecJson(options.data)
  const encode = Schema.encodeSync(codec)
  const decode = Schema.decodeUnknownEffect(codec)
  return {
    save: (value) => {
      const { data, tensors } = options.save(value)
      return { data: encode(data), tensors }
    },
    load: ({ data, tensors }) =>
      decode(data).pipe(
        Effect.mapError((error) => new SavedFileDamaged({ file: tensors.path, detail: error.message })),
        Effect.flatMap((decoded) => options.load(decoded, tensors))
      )
  }
}

/** A codec for values that are small enough for JSON alone. */
export const json = <A>(schema: Schema.Codec<A, unknown>): Codec<A> =>
  make({
    data: schema,
    save: (data) => ({ data, tensors: [] }),
    load: (data) => Effect.succeed(data)
  })

/** The codec of stages that keep no state between steps. */
export const nothing: Codec<void> = make({
  data: Schema.Struct({}),
  save: () => ({ data: {}, tensors: [] }),
  load: () => Effect.void
})
