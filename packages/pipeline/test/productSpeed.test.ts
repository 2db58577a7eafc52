/** Forecasts of time rest on a product that is timed here, once. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Compute } from "../src/compute/Compute.ts"
import { secondsFor } from "../src/planning/cost.ts"
import { productSpeed } from "../src/planning/productSpeed.ts"

describe("speed of products", () => {
  it.effect("is that of the processor where no backend runs, and measured once", () =>
    Effect.gen(function* () {
      const speed = yield* productSpeed
      assert.isAbove(speed!, 0)
      assert.isTrue(Number.isFinite(speed))
      assert.strictEqual(yield* productSpeed, speed)
    })
  )

  it.effect("is that of the backend that runs", () =>
    Effect.gen(function* () {
      const processor = yield* productSpeed
      yield* Effect.gen(function* () {
        const slow = yield* productSpeed
        assert.isAbove(slow!, 0)
        assert.isBelow(slow!, processor!)
        assert.strictEqual(yield* productSpeed, slow)
      }).pipe(Effect.provide(Compute.layer({ backend: "reference" })))
    })
  )

  it.effect("makes seconds out of operations and calls", () =>
    Effect.gen(function* () {
      const [one, two, calls] = [yield* secondsFor(1e12, 0), yield* secondsFor(2e12, 0), yield* secondsFor(0, 1000)]
      assert.closeTo(two! / one!, 2, 1e-9)
      assert.isAbove(one!, 1e12 / (yield* productSpeed)!)
      assert.closeTo(calls!, 0.01, 1e-9)
    })
  )
})
