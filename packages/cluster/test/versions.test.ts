/** One version at a time: made once for all who ask at once, kept while it is used, made again where it could not be made. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert, describe, it } from "vitest"
import { makeVersions } from "../src/worker/versions.ts"

/** Versions that note what is made and removed. */
const noted = Effect.gen(function* () {
  const log: string[] = []
  const { use } = yield* makeVersions<string, string>((name) => log.push(`-${name}`))
  const make = (name: string) =>
    Effect.gen(function* () {
      log.push(`+${name}`)
      yield* Effect.sleep(5)
      return name
    })
  return { log, use, make }
})

const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(effect)

describe("makeVersions", () => {
  it("makes what several ask for once, and removes the version before when nobody uses it any more", () =>
    run(
      Effect.gen(function* () {
        const { log, use, make } = yield* noted
        const once = (name: string) => Effect.scoped(use(name, make(name)))
        assert.deepStrictEqual(yield* Effect.all([once("a"), once("a")], { concurrency: 2 }), ["a", "a"])
        yield* once("a")
        assert.deepStrictEqual(log, ["+a"])
        const holding = yield* Effect.forkChild(Effect.scoped(Effect.andThen(use("a", make("a")), Effect.sleep(50))))
        yield* Effect.sleep(10)
        yield* once("b")
        assert.deepStrictEqual(log, ["+a", "+b"])
        // What is there in an older version is not made again.
        yield* once("a")
        assert.deepStrictEqual(log, ["+a", "+b", "-b"])
        yield* once("c")
        yield* Fiber.join(holding)
        assert.deepStrictEqual(log, ["+a", "+b", "-b", "+c", "-a"])
      }).pipe(Effect.scoped)
    ))

  it("makes again what failed, and goes on where the first that asked gives up", () =>
    run(
      Effect.gen(function* () {
        const { log, use, make } = yield* noted
        assert.strictEqual(yield* Effect.flip(Effect.scoped(use("a", Effect.fail("no")))), "no")
        const first = yield* Effect.forkChild(Effect.scoped(use("a", make("a"))), { startImmediately: true })
        yield* Fiber.interrupt(first)
        assert.strictEqual(yield* Effect.scoped(use("a", make("a"))), "a")
        assert.deepStrictEqual(log, ["+a"])
      }).pipe(Effect.scoped)
    ))
})
