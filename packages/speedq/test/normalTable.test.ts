import { bf16ToF32, Random } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { drawFrom, normalTable, standardQuantiles } from "../src/init/normalTable.ts"

describe("normalTable", () => {
  it("holds the quantiles of the standard normal distribution", () => {
    const quantiles = standardQuantiles()
    // Python: statistics.NormalDist().inv_cdf((i + 0.5) / 65536)
    const known = [
      [65535, 4.324919040826044],
      [65534, 4.076206516032617],
      [55294, 1.0098946286642112],
      [32768, 1.9124056051512083e-5]
    ] as const
    for (const [index, value] of known) {
      assert.approximately(quantiles[index]!, value, 2e-6 * value)
      assert.strictEqual(quantiles[65535 - index], -quantiles[index]!)
    }
    assert.isTrue(quantiles.every((value, i) => i === 0 || value > quantiles[i - 1]!))
  })

  it("draws numbers of the asked deviation, the same for a seed", () => {
    const table = normalTable(0.02)
    const draw = (seed: number, length: number) => {
      const target = new Uint16Array(length)
      drawFrom(table, Random.make(seed, "weights"), target)
      return target
    }
    const numbers = bf16ToF32(draw(3, 200_001))
    const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length
    const square = numbers.reduce((sum, value) => sum + value * value, 0) / numbers.length
    // Five standard errors of mean and deviation at this length.
    assert.approximately(mean, 0, 5 * (0.02 / Math.sqrt(numbers.length)))
    assert.approximately(Math.sqrt(square), 0.02, 5 * (0.02 / Math.sqrt(2 * numbers.length)))
    assert.deepStrictEqual(draw(3, 101), draw(3, 200_001).slice(0, 101))
    assert.notDeepEqual(draw(3, 100), draw(4, 100))
  })
})
