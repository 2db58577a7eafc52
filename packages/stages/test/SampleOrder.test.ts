import { assert, describe, it } from "vitest"
import { epochOrder, microBatchesPerEpoch, type SampleOrderOptions, stepsPerEpoch } from "../src/data/SampleOrder.ts"

const options = (more: Partial<SampleOrderOptions> = {}): SampleOrderOptions => ({
  count: 50,
  batch: 2,
  accumulation: 4,
  seed: 3,
  ...more
})
/** Lengths from 1 to 100 that do not follow the samples' order. */
const lengthOf = (sample: number) => 1 + ((sample * 37) % 100)

describe("epochOrder", () => {
  it("is a permutation cut into steps and micro-batches, seeded, another one every epoch", () => {
    for (const grouped of [{}, { lengthOf }]) {
      const order = epochOrder(options(grouped), 0)
      assert.strictEqual(order.length, stepsPerEpoch(options()))
      assert.strictEqual(order.flat().length, microBatchesPerEpoch(options()))
      assert.deepStrictEqual(
        order.flat(2).sort((a, b) => a - b),
        Array.from({ length: 50 }, (_, i) => i)
      )
      for (const step of order.slice(0, -1))
        assert.deepStrictEqual(new Set(step.map(({ length }) => length)), new Set([2]))
      assert.deepStrictEqual(epochOrder(options(grouped), 0), order)
      assert.notDeepEqual(epochOrder(options(grouped), 1), order)
      assert.notDeepEqual(epochOrder(options({ ...grouped, seed: 4 }), 0), order)
    }
  })

  it("leaves out an incomplete last step where that is asked for, but never the only one", () => {
    const dropping = { dropsLast: true }
    // 50 samples are 25 micro-batches of 2: 6 steps of 4, and one that is left.
    assert.strictEqual(stepsPerEpoch(options()), 7)
    assert.strictEqual(stepsPerEpoch(options(dropping)), 6)
    assert.deepStrictEqual(epochOrder(options(dropping), 1), epochOrder(options(), 1).slice(0, 6))
    assert.strictEqual(stepsPerEpoch(options({ ...dropping, count: 48 })), 6)
    assert.strictEqual(stepsPerEpoch(options({ ...dropping, count: 5 })), 1)
  })

  it("takes the same samples in a step, whether grouped by length or not", () => {
    const [plain, grouped] = [epochOrder(options(), 0), epochOrder(options({ lengthOf }), 0)]
    for (const [step, samples] of plain.entries()) {
      assert.deepStrictEqual(grouped[step]!.flat().sort(), samples.flat().sort())
    }
  })

  it("deals a step's samples, longest first, to the part that is shortest so far", () => {
    // One step of 8 samples in 4 parts: by hand, lengths 9 8 7 6 | 5 4 3 1 go to parts with sums 9+1 8+3 7+4 6+5.
    const lengths = [5, 9, 4, 8, 1, 7, 3, 6]
    const order = epochOrder(options({ count: 8, lengthOf: (sample) => lengths[sample]! }), 0)
    assert.deepStrictEqual(
      order[0]!.map((batch) => batch.map((sample) => lengths[sample])),
      [
        [9, 1],
        [8, 3],
        [7, 4],
        [6, 5]
      ]
    )
  })

  it("deals out an incomplete step that the parts do not divide", () => {
    const lengths = [1, 2, 3, 4, 5, 6]
    const order = epochOrder(options({ count: 6, lengthOf: (sample) => lengths[sample]! }), 0)
    // Sorted 6 5 4 3 2 1; four parts take every fourth: 6 2 | 5 1 | 4 | 3; then cut in twos.
    assert.deepStrictEqual(
      order[0]!.map((batch) => batch.map((sample) => lengths[sample])),
      [
        [6, 2],
        [5, 1],
        [4, 3]
      ]
    )
  })
})
