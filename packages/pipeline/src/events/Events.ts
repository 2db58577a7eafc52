/** The one stream of a run's events: stages emit, sinks listen. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { JsonObject } from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { LockLost, StorageFailed } from "../Errors.ts"
import { monotonicMillis } from "../machine/monotonic.ts"
import type { EventKind } from "./EventKind.ts"

/** The directory name of the stage that is running, such as `02-qat`; set by the runner. */
export const CurrentStage = Context.Reference<string | undefined>("@speedq/pipeline/CurrentStage", {
  defaultValue: () => undefined
})

/** One event on its way to the sinks. `at` is in milliseconds since 1970; `monotonic`, in milliseconds too, never goes back. */
export interface Entry {
  readonly at: number
  readonly monotonic: number
  readonly stage: string | undefined
  readonly tag: string
  readonly warning: boolean
  readonly result: boolean
  readonly event: unknown
  readonly line: () => string | undefined
  readonly scalars: () => { readonly [name: string]: number }
  readonly json: () => JsonObject
}

/** Whether an entry is of this kind. */
export const isEntryOf = <P>(kind: EventKind<string, P>, entry: Entry): entry is Entry & { readonly event: P } =>
  entry.tag === kind.tag

/** Where events go. `write` must be quick: what has to reach a file is buffered and written by `flush`. */
export interface Sink {
  readonly write: (entry: Entry) => void
  readonly flush: Effect.Effect<void, StorageFailed | LockLost>
  /** Done once, after the last flush. */
  readonly close?: Effect.Effect<void>
}

export class Events extends Context.Service<
  Events,
  {
    readonly emit: <P>(kind: EventKind<string, P>, event: P) => Effect.Effect<void>
    /** Adds a sink for the life of the scope; it is flushed once more at the end. */
    readonly subscribe: (sink: Sink) => Effect.Effect<void, never, Scope.Scope>
    readonly flush: Effect.Effect<void, StorageFailed | LockLost>
  }
>()("@speedq/pipeline/Events") {
  /** Events without a sink: nothing is shown or kept. Sinks are layers on top of it. */
  static readonly layer = Layer.sync(Events, () => {
    const sinks = new Set<Sink>()
    const flush = Effect.suspend(() => Effect.forEach(sinks, (sink) => sink.flush, { discard: true }))
    return Events.of({
      emit: Effect.fnUntraced(function* (kind, event) {
        const at = yield* Clock.currentTimeMillis
        const monotonic = yield* monotonicMillis
        const stage = yield* CurrentStage
        const entry: Entry = {
          at,
          monotonic,
          stage,
          tag: kind.tag,
          warning: kind.warning,
          result: kind.result,
          event,
          line: () => kind.line(event),
          scalars: () => kind.scalars(event),
          json: () => kind.encode(event)
        }
        for (const sink of sinks) sink.write(entry)
      }),
      subscribe: (sink) =>
        Effect.acquireRelease(
          Effect.sync(() => sinks.add(sink)),
          () =>
            Effect.andThen(
              Effect.ignore(sink.flush),
              Effect.andThen(
                Effect.sync(() => sinks.delete(sink)),
                sink.close ?? Effect.void
              )
            )
        ),
      flush
    })
  })
}

/** Emits an event. @example yield* emit(LayerQuantized, { layer, quantizer, bits, errorBefore, errorAfter, bytes }) */
export const emit = <P>(kind: EventKind<string, P>, event: P): Effect.Effect<void, never, Events> =>
  Effect.flatMap(Events, (events) => events.emit(kind, event))
