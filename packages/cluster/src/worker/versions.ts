/** Something in one version at a time: the newest, and older ones as long as somebody uses them. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

interface Version<A, E> {
  readonly name: string
  readonly making: Fiber.Fiber<A, E>
  users: number
}

/** `remove` takes away what `make` made. What several ask for at once is made once, and what could not be made is made again. */
export const makeVersions = <A, E>(remove: (name: string) => void) =>
  Effect.map(Effect.scope, (scope) => {
    const versions = new Map<string, Version<A, E>>()
    let newest: Version<A, E> | undefined
    const removeUnused = () => {
      for (const version of versions.values()) {
        if (version === newest || version.users > 0) continue
        versions.delete(version.name)
        remove(version.name)
      }
    }
    const hasFailed = ({ making }: Version<A, E>): boolean => {
      const exit = making.pollUnsafe()
      return exit !== undefined && Exit.isFailure(exit)
    }
    const versionOf = Effect.fnUntraced(function* <R>(name: string, make: Effect.Effect<A, E, R>) {
      const there = versions.get(name)
      const version: Version<A, E> =
        there !== undefined && !hasFailed(there)
          ? there
          : // It goes on where the first that asked for it gives up.
            { name, making: yield* Effect.forkIn(make, scope, { startImmediately: true }), users: 0 }
      newest = version
      versions.set(name, version)
      removeUnused()
      return version
    })
    /** The version of this name, for the life of the scope. */
    const use = <R>(name: string, make: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
      Effect.acquireRelease(
        Effect.tap(versionOf(name, make), (version) =>
          Effect.sync(() => {
            version.users++
          })
        ),
        (version) =>
          Effect.sync(() => {
            version.users--
            removeUnused()
          })
      ).pipe(Effect.flatMap(({ making }) => Fiber.join(making)))
    return { use }
  })
