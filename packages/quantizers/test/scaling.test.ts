/** Weights twice as large become quantized weights twice as large: no quantizer knows a unit, but for scales near 1e-5. */
import { Random, tensor } from "@speedq/tensors"
import fc from "fast-check"
import { assert, it } from "vitest"
import { candidates } from "./support/arbitraryWeight.ts"
import { bitsOf, numbersOf } from "./support/numbers.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

// The search of "mse" compares powers of errors, whose rounding decides between equal ranges.
const scalable = candidates.filter(({ name }) => !name.includes("searched"))

onEveryBackend("scaling by powers of two", (backend) => {
  it.each(scalable)("passes through $name", ({ choice, group, rowUnit }) =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: -3, max: 3 }), async (seed, power) => {
        const random = Random.make(seed)
        const shape = [rowUnit, 2 * group]
        const values = Float32Array.from({ length: rowUnit * 2 * group }, () => 500 * random.nextNormal())
        const { quantizer, config } = choice
        const of = (weights: Float32Array) =>
          numbersOf(() => quantizer.fakeQuantize(config, tensor(backend, weights, shape)))
        const scaled = await of(values.map((value) => value * 2 ** power))
        assert.deepEqual(bitsOf(scaled), bitsOf((await of(values)).map((value) => value * 2 ** power)))
      }),
      { seed: 97, numRuns: 20 }
    )
  )
})
