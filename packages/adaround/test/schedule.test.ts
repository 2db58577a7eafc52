/** Annealing of the regularizer's exponent (docs/method.md, "Block reconstruction"). */
import { assert, describe, it } from "vitest"
import { annealedExponent, isAnnealing } from "../src/index.ts"

const annealing = { iterations: 100, warmup: 0.2, start: 20, end: 2 }

describe("the exponent", () => {
  it("stays at its start during warm-up, then falls in a line to its end", () => {
    assert.deepEqual(
      [1, 19, 20, 60, 100].map((t) => annealedExponent(annealing, t)),
      [20, 20, 20, 11, 2]
    )
  })

  it("never rises, and never leaves [end, start]", () => {
    const values = Array.from({ length: 130 }, (_, t) => annealedExponent(annealing, t + 1))
    for (const [i, value] of values.entries()) {
      assert.isTrue(value >= 2 && value <= 20)
      if (i > 0) assert.isAtMost(value, values[i - 1]!)
    }
  })

  it("counts from the end of warm-up", () => {
    assert.deepEqual(
      [1, 19, 20, 100].map((t) => isAnnealing(annealing, t)),
      [false, false, true, true]
    )
    assert.isTrue(isAnnealing({ ...annealing, warmup: 0 }, 1))
  })
})
