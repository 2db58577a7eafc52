/** Forecasts of time rest on a product that is timed here, once. */
import { assert, describe, it } from "@effect/vitest"
import { processBytes } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { Compute } from "../src/compute/Compute.ts"
import { secondsFor } from "../src/planning/cost.ts"
import { productSpeed } from "../src/planning/productSpeed.ts"

/** Bytes that hold the first factor of the smallest product that is timed, and not the second. */
const oneFactor = 20 * 1024

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

  it.effect("is unknown where not even a product fits", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* productSpeed)
      assert.isUndefined(yield* secondsFor(1e12, 0))
      const { backend } = yield* Compute
      assert.strictEqual(backend.usage().buffers, 0)
    }).pipe(Effect.provide(Compute.layer({ backend: "native:none", memoryLimit: processBytes + oneFactor })))
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
