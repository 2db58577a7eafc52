/** 16-bit floats: every pattern, every rounding boundary. */
import { assert, describe, it } from "vitest"
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../src/index.ts"

const kinds = [
  { name: "bfloat16", from: fromBfloat16, to: toBfloat16, infinity: 0x7f80 },
  { name: "half", from: fromFloat16, to: toFloat16, infinity: 0x7c00 }
]

describe.each(kinds)("$name", ({ from, to, infinity }) => {
  it("survives the way to a number and back, every pattern", () => {
    for (let pattern = 0; pattern < 0x10000; pattern++) {
      const value = from(pattern)
      if ((pattern & 0x7fff) > infinity) assert.isTrue(Number.isNaN(value) && Number.isNaN(from(to(value))))
      else if (to(value) !== pattern) assert.fail(`pattern ${pattern} is ${value} and comes back as ${to(value)}`)
    }
  })

  it("rounds to the nearest, and to the even one from the middle, between every two neighbours", () => {
    for (let pattern = 0; pattern < infinity - 1; pattern++) {
      const [below, above] = [from(pattern), from(pattern + 1)]
      const middle = (below + above) / 2
      const even = pattern % 2 === 0 ? pattern : pattern + 1
      // One step of f32 to either side of the middle, where f32 has such a step.
      const step = middle * 2 ** -23
      const found = [to(middle), to(Math.fround(middle - step)), to(Math.fround(middle + step))]
      const expected = [even, pattern, pattern + 1]
      const isRepresentable = Math.fround(middle) === middle && Math.fround(middle - step) < middle
      if (!isRepresentable) continue
      if (found.some((value, i) => value !== expected[i]))
        assert.fail(`around ${middle}: ${found}, expected ${expected}`)
      if (to(-middle) !== (even | 0x8000)) assert.fail(`around ${-middle}`)
    }
  })

  it("overflows to infinity from half a step past the largest", () => {
    const [largest, before] = [from(infinity - 1), from(infinity - 2)]
    const past = largest + (largest - before) / 2
    assert.strictEqual(to(past * (1 - 2 ** -23)), infinity - 1)
    assert.strictEqual(to(past), infinity)
    assert.strictEqual(to(-past), infinity | 0x8000)
    assert.strictEqual(to(Number.POSITIVE_INFINITY), infinity)
  })
})
