/** Units that others compute ahead of whoever needs them in order: how many are out, what is computed here, and what waits. */
import { unitsAhead } from "@speedq/pipeline"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"

/** Units whose answers come when the test says so. */
const make = Effect.fnUntraced(function* (options: {
  readonly count: number
  readonly perRunner?: number
  readonly mayBegin?: (at: number, underWay: readonly number[]) => boolean
}) {
  const { count, perRunner = 2, mayBegin = () => true } = options
  const answers = yield* Effect.forEach(Array.from({ length: count }), () => Deferred.make<string | undefined>())
  const asked: number[] = []
  const world = { runners: 1 }
  const ahead = yield* unitsAhead({
    batch: { runners: Effect.sync(() => world.runners) },
    count,
    perRunner,
    ask: (at) =>
      Effect.sync(() => {
        asked.push(at)
        return Deferred.await(answers[at]!)
      }),
    mayBegin: (at, underWay) => Effect.sync(() => mayBegin(at, underWay))
  })
  const answer = (at: number, value: string | undefined) => Deferred.succeed(answers[at]!, value)
  return { asked, world, answer, ...ahead }
})

const test = (work: Effect.Effect<void, never, Scope.Scope>) => () => Effect.runPromise(Effect.scoped(work))

/** Lets what is ready happen. */
const settle = Effect.sleep(20)

describe("unitsAhead", () => {
  it(
    "hands out as many as keep the runners busy, and the next one when any answers",
    test(
      Effect.gen(function* () {
        const { asked, world, answer, resultOf } = yield* make({ count: 8 })
        yield* settle
        assert.deepStrictEqual(asked, [0, 1])
        world.runners = 2
        yield* answer(1, "b")
        yield* settle
        assert.deepStrictEqual(asked, [0, 1, 2, 3, 4])
        yield* answer(0, "a")
        assert.strictEqual(yield* resultOf(0), "a")
        assert.strictEqual(yield* resultOf(1), "b")
      })
    )
  )

  it(
    "computes here what nobody else can: without a runner, and where none had an answer",
    test(
      Effect.gen(function* () {
        const { asked, world, answer, resultOf, doneHere } = yield* make({ count: 4, perRunner: 1 })
        yield* answer(0, undefined)
        assert.isUndefined(yield* resultOf(0))
        world.runners = 0
        yield* answer(1, "b")
        assert.strictEqual(yield* resultOf(1), "b")
        assert.isUndefined(yield* resultOf(2))
        yield* doneHere(2)
        assert.notInclude(asked, 2)
        world.runners = 1
        yield* answer(3, "d")
        assert.strictEqual(yield* resultOf(3), "d")
      })
    )
  )

  it(
    "lets a unit wait for one under way, here or elsewhere, and others pass it",
    test(
      Effect.gen(function* () {
        const isEven = (at: number) => at % 2 === 0
        const mayBegin = (at: number, underWay: readonly number[]) => !isEven(at) || !underWay.some(isEven)
        const { asked, world, answer, resultOf, doneHere } = yield* make({ count: 5, perRunner: 3, mayBegin })
        yield* settle
        assert.deepStrictEqual(asked, [0, 1, 3])
        yield* answer(0, undefined)
        assert.isUndefined(yield* resultOf(0))
        world.runners = 2
        yield* Effect.sleep(600)
        assert.notInclude(asked, 2)
        yield* doneHere(0)
        yield* answer(2, "c")
        assert.strictEqual(yield* resultOf(2), "c")
        assert.deepStrictEqual([...asked].sort(), [0, 1, 2, 3, 4])
      })
    )
  )
})
