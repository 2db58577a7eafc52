/** The backend's memory that a stage holds: given back when the stage ends, however it ends. */
import type { Stage } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/** Something that is given back with the scope. */
export const owned = <A, E, R>(
  acquire: Effect.Effect<A, E, R>,
  release: (value: A) => void
): Effect.Effect<A, E, R | Scope.Scope> => Effect.acquireRelease(acquire, (value) => Effect.sync(() => release(value)))

/** Things that are acquired by `owned` one after another: given back where one of them fails, and the caller's where none does. */
export const allOrNone = <A, E, R>(
  acquire: Effect.Effect<A, E, R | Scope.Scope>
): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(Scope.make(), (scope) =>
    Scope.provide(acquire, scope).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))))
  )

/** A program whose newest state is released with the scope. What only an earlier state held, its steps release. */
export const owningState = <S, Out, E, R>(
  program: Stage.Program<S, Out, E, R>,
  release: (state: S) => void
): Effect.Effect<Stage.Program<S, Out, E, R>, never, Scope.Scope> =>
  Effect.gen(function* () {
    let newest: { readonly state: S } | undefined
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (newest !== undefined) release(newest.state)
      })
    )
    const note = (state: S): S => {
      newest = { state }
      return state
    }
    return {
      ...program,
      state: { ...program.state, load: (stored) => Effect.map(program.state.load(stored), note) },
      initial: Effect.map(program.initial, note),
      step: (state, done) =>
        Effect.map(program.step(state, done), (result) => {
          note(result.state)
          return result
        })
    }
  })
