/** A stream of a generator that is left ends when the generator has: nothing of it runs beside what comes next. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { streamOf } from "../src/generation/answer.ts"

describe("streamOf", () => {
  it.live("waits for the step that its generator is in when it is left", () =>
    Effect.gen(function* () {
      const order: string[] = []
      let finishStep = (): void => {}
      const step = new Promise<void>((resolve) => {
        finishStep = resolve
      })
      async function* pieces() {
        try {
          yield "first"
          order.push("step")
          await step
          order.push("step done")
          yield "second"
        } finally {
          order.push("ended")
        }
      }
      const fiber = yield* Effect.forkChild(Stream.runDrain(streamOf(pieces)))
      while (order.length === 0) yield* Effect.yieldNow
      const leaving = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
      finishStep()
      yield* Fiber.join(leaving)
      assert.deepStrictEqual(order, ["step", "step done", "ended"])
    })
  )
})
