import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { bf16ToF32, f32ToBf16 } from "../src/numbers/halfPrecision.ts"

const all = Uint16Array.from({ length: 65536 }, (_, i) => i)
const widened = bf16ToF32(all)
const isNaNPattern = (bits: number) => (bits & 0x7fff) > 0x7f80

/** The value of a pattern by its definition: (-1)^s * 1.m * 2^(e-127), subnormal 0.m * 2^-126. */
const valueFrom = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 7) & 0xff
  const mantissa = bits & 0x7f
  if (exponent === 0xff) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * mantissa * 2 ** -133 : sign * (128 + mantissa) * 2 ** (exponent - 134)
}

const round = (value: number): number => f32ToBf16(Float32Array.of(value))[0]!

describe("bf16ToF32", () => {
  it("gives every one of the 65536 patterns its value", () => {
    for (const bits of all) assert.isTrue(Object.is(widened[bits], valueFrom(bits)), `pattern ${bits.toString(16)}`)
  })

  it("writes into a given target, also in shared memory", () => {
    const target = new Float32Array(new SharedArrayBuffer(12))
    assert.strictEqual(bf16ToF32(Uint16Array.of(0x3f80, 0xc000), target), target)
    assert.deepEqual([...target], [1, -2, 0])
  })
})

describe("f32ToBf16", () => {
  it("gives back every pattern, NaN payloads included", () => {
    assert.deepEqual(f32ToBf16(widened), all)
  })

  it("rounds to the nearest at and beside every midpoint, ties to even", () => {
    const f32 = new Float32Array(1)
    const bits = new Uint32Array(f32.buffer)
    for (let low = 0; low < 0x7f80; low++) {
      // Between a pattern and the next lies exactly one float32 half way; above the largest finite comes infinity.
      for (const sign of [0, 0x8000]) {
        const [down, up] = [sign | low, sign | (low + 1)]
        const middle = ((down << 16) | 0x8000) >>> 0
        const nearest = (pattern: number) => {
          bits[0] = pattern
          return f32ToBf16(f32)[0]
        }
        assert.strictEqual(nearest(middle - 1), down)
        assert.strictEqual(nearest(middle), low % 2 === 0 ? down : up)
        assert.strictEqual(nearest(middle + 1), up)
      }
    }
  })

  it("is the nearest of the neighbours for any float32", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        const got = valueFrom(round(value))
        if (!Number.isFinite(got)) return Math.abs(value) >= 2 ** 128 - 2 ** 119
        const below = valueFrom(round(value) - 1)
        const above = valueFrom(round(value) + 1)
        return [below, above].every((other) => !(Math.abs(other - value) < Math.abs(got - value)))
      }),
      { seed: 7, numRuns: 5000 }
    )
  })

  it("keeps NaN a NaN and its sign, and overflows to infinity", () => {
    const patterns = Uint32Array.of(0x7f800001, 0xff800001, 0x7fc00000, 0x7fffffff, 0xffffffff, 0x7f80ffff)
    const rounded = f32ToBf16(new Float32Array(patterns.buffer))
    for (let i = 0; i < patterns.length; i++) {
      assert.isTrue(isNaNPattern(rounded[i]!), `${patterns[i]!.toString(16)}`)
      assert.strictEqual(rounded[i]! >>> 15, patterns[i]! >>> 31)
    }
    assert.strictEqual(round(3.4028234663852886e38), 0x7f80)
    assert.strictEqual(round(Number.NEGATIVE_INFINITY), 0xff80)
    assert.strictEqual(round(-0), 0x8000)
  })
})
