/** Weights are looked at where training starts and where it ends: what became no number, or too large, names its layer. */
import { uniform } from "@speedq/quantizers"
import { makeReferenceBackend, tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { afterAll, assert, it } from "vitest"
import { requireQuantizable } from "../src/model/requireQuantizable.ts"

const backend = makeReferenceBackend()
afterAll(() => backend.close())

const layer = "language_model.model.layers.0.mlp.up_proj"
const choices = new Map([[layer, uniform({ bits: 2, group: 4 })]])
const ranges = {
  [`${layer}.min`]: tensor(backend, [-1, -1], [2, 1]),
  [`${layer}.max`]: tensor(backend, [1, 1], [2, 1])
}
const numbers = [1, 2, 3, 4, 5, 6, 7, 8]
const weightWith = (value: number) => ({
  "mlp1.0.bias": tensor(backend, [1, 2], [2]),
  [`${layer}.weight`]: tensor(backend, numbers.with(6, value), [2, 4])
})

it("finite weights within the scales pass, and so does one that its range brings there", async () => {
  const before = backend.usage().buffers
  const [small, large] = [weightWith(0), weightWith(1e9)]
  await Effect.runPromise(requireQuantizable(small, choices))
  await Effect.runPromise(requireQuantizable(large, choices, ranges))
  // A weight that no quantizer is chosen for may be as large as it likes.
  await Effect.runPromise(requireQuantizable(large, new Map()))
  assert.strictEqual(backend.usage().buffers, before + 4)
})

it.each([
  { value: 1e9, clipped: false, kind: "WeightTooLarge", says: "1 weights exceed +-65504" },
  {
    value: Number.NaN,
    clipped: false,
    kind: "NonFiniteWeight",
    says: "1 NaN and 0 infinite weights, the first at [1, 2]"
  },
  { value: Number.NaN, clipped: true, kind: "NonFiniteWeight", says: "1 NaN and 0 infinite weights" },
  { value: Number.NEGATIVE_INFINITY, clipped: true, kind: "NonFiniteWeight", says: "0 NaN and 1 infinite weights" }
])("$value, clipped $clipped: $kind names the layer", async ({ value, clipped, kind, says }) => {
  const weights = weightWith(value)
  const before = backend.usage().buffers
  const failure = await Effect.runPromise(
    Effect.flip(requireQuantizable(weights, choices, clipped ? ranges : undefined))
  )
  assert.strictEqual(failure.kind, kind)
  assert.include(failure.message, `${layer}: ${says}`)
  assert.strictEqual(backend.usage().buffers, before)
})
