import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { f16ToF32, f32ToF16 } from "../src/numbers/halfPrecision.ts"

const all = Uint16Array.from({ length: 65536 }, (_, i) => i)
const widened = f16ToF32(all)
const infinity = 0x7c00

/** The value of a pattern by its definition: (-1)^s * 1.m * 2^(e-15), subnormal 0.m * 2^-14. */
const valueFrom = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const mantissa = bits & 0x3ff
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1024 + mantissa) * 2 ** (exponent - 25)
}

/** The nearest pattern by search among all finite values, ties to the even pattern; 65520 is half way to what 2^16 would be. */
const nearest = (value: number): number => {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const magnitude = Math.abs(value)
  if (magnitude >= 65520) return sign | infinity
  let low = 0
  let high = 0x7bff
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (valueFrom(middle) <= magnitude) low = middle
    else high = middle - 1
  }
  if (low === 0x7bff) return sign | low
  const [down, up] = [magnitude - valueFrom(low), valueFrom(low + 1) - magnitude]
  return sign | (down < up || (down === up && low % 2 === 0) ? low : low + 1)
}

const round = (value: number): number => f32ToF16(Float32Array.of(value))[0]!

describe("f16ToF32", () => {
  it("gives every one of the 65536 patterns its value", () => {
    for (const bits of all) assert.isTrue(Object.is(widened[bits], valueFrom(bits)), `pattern ${bits.toString(16)}`)
  })

  it("writes into a given target", () => {
    const target = new Float32Array(3)
    assert.strictEqual(f16ToF32(Uint16Array.of(0x3c00, 0xc000), target), target)
    assert.deepEqual([...target], [1, -2, 0])
  })
})

describe("f32ToF16", () => {
  it("gives back every pattern, NaN payloads included", () => {
    assert.deepEqual(f32ToF16(widened), all)
  })

  it("rounds to the nearest at and beside every midpoint, ties to even", () => {
    const f32 = new Float32Array(1)
    const bits = new Uint32Array(f32.buffer)
    for (let low = 0; low < infinity; low++) {
      const next = low === 0x7bff ? 65536 : valueFrom(low + 1)
      f32[0] = (valueFrom(low) + next) / 2
      const middle = bits[0]!
      for (const pattern of [middle - 1, middle, middle + 1]) {
        bits[0] = pattern
        const value = f32[0]!
        assert.strictEqual(round(value), nearest(value), `${value}`)
        assert.strictEqual(round(-value), nearest(-value), `${-value}`)
      }
    }
  })

  it("is the nearest for any float32", () => {
    fc.assert(
      fc.property(fc.oneof(fc.float({ noNaN: true }), fc.float({ noNaN: true, min: -70000, max: 70000 })), (value) => {
        assert.strictEqual(round(value), nearest(value))
      }),
      { seed: 7, numRuns: 5000 }
    )
  })

  it("keeps NaN a NaN and its sign, overflows to infinity, underflows to zero", () => {
    const patterns = Uint32Array.of(0x7f800001, 0xff800001, 0x7fc00000, 0x7fffffff, 0xffffffff)
    const rounded = f32ToF16(new Float32Array(patterns.buffer))
    for (let i = 0; i < patterns.length; i++) {
      assert.isAbove(rounded[i]! & 0x7fff, infinity, `${patterns[i]!.toString(16)}`)
      assert.strictEqual(rounded[i]! >>> 15, patterns[i]! >>> 31)
    }
    assert.strictEqual(round(65519.99609375), 0x7bff)
    assert.strictEqual(round(65520), infinity)
    assert.strictEqual(round(-1e30), 0xfc00)
    assert.strictEqual(round(2 ** -25), 0)
    assert.strictEqual(round(-(2 ** -25)), 0x8000)
    assert.strictEqual(round(2 ** -25 * (1 + 2 ** -23)), 1)
  })
})
