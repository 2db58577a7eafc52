/** Functions of numbers that GPU.js programs use, as JavaScript: in double precision, rounded where they say so. */
import { assert, describe, it } from "vitest"
import {
  divided,
  halfEven,
  limited,
  logarithm,
  normalCdf,
  power,
  quotient,
  roundBfloat16,
  rounded,
  roundFloat16
} from "../../src/backends/gpujs/numbers.ts"
import { fromBfloat16, fromFloat16, Random, toBfloat16, toFloat16 } from "../../src/index.ts"
import { erf } from "../../src/kernels/gelu.ts"
import { roundHalfEven } from "../../src/numbers/roundHalfEven.ts"

const random = Random.make(5, "gpujs numbers")
/** Numbers of every magnitude that f32 has. */
const everySize = Array.from({ length: 20_000 }, () =>
  Math.fround(random.nextNormal() * 2 ** Math.floor(random.nextUniform() * 275 - 148))
)
const edges = [
  0,
  -0,
  1,
  -1,
  65504,
  65519,
  65520,
  2 ** -14,
  2 ** -24,
  2 ** -25,
  3 * 2 ** -25,
  2 ** -126,
  2 ** -133,
  2 ** -149
]
const specials = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 3.4028234663852886e38]
const ties = Array.from({ length: 4096 }, (_, i) => (i - 2048) / 2)

describe("numbers of programs", () => {
  it("rounds halves to even", () => {
    for (const value of [...ties, ...everySize, ...specials]) {
      assert.isTrue(Object.is(halfEven(value) + 0, roundHalfEven(value) + 0), `${value}`)
    }
  })

  it("rounds to bfloat16 and half as the conversions of patterns do", () => {
    const middles = Array.from({ length: 4096 }, (_, i) => fromBfloat16(i * 16) + fromBfloat16(i * 16 + 1)).map(
      (x) => x / 2
    )
    for (const value of [...everySize, ...edges, ...edges.map((x) => -x), ...specials, ...middles.map(Math.fround)]) {
      assert.isTrue(Object.is(roundBfloat16(value), fromBfloat16(toBfloat16(value))), `bf16 ${value}`)
      assert.isTrue(Object.is(rounded(value, 1), fromBfloat16(toBfloat16(value))), `bf16 ${value}`)
      assert.isTrue(Object.is(roundFloat16(value), fromFloat16(toFloat16(value))), `f16 ${value}`)
      assert.isTrue(Object.is(rounded(value, 0), Math.fround(value)), `f32 ${value}`)
    }
  })

  it("divides to the nearest f32, also from a quotient that is a little off", () => {
    for (let i = 0; i < 20_000; i++) {
      const [a, b] = [Math.fround(random.nextNormal()), Math.fround(random.nextNormal())]
      assert.strictEqual(divided(a, b), Math.fround(a / b))
    }
    assert.strictEqual(divided(1, 0), Number.POSITIVE_INFINITY)
    assert.strictEqual(divided(-1, 0), Number.NEGATIVE_INFINITY)
    assert.isNaN(divided(0, 0))
    assert.strictEqual(divided(0, 3), 0)
  })

  it("finds whole quotients", () => {
    for (const b of [1, 2, 3, 7, 49, 1000, 4099]) {
      for (let a = 0; a < 2 ** 20; a += 997) assert.strictEqual(quotient(a, b), Math.floor(a / b), `${a} / ${b}`)
    }
  })

  it("knows the normal distribution to 1e-7", () => {
    for (let x = -9; x <= 9; x += 0.0031) {
      assert.closeTo(normalCdf(x), 0.5 * (1 + erf(x * Math.SQRT1_2)), 1e-7, `${x}`)
    }
    assert.isNaN(normalCdf(Number.NaN))
  })

  it("carries NaN and infinity through powers and logarithms", () => {
    assert.isNaN(power(Number.NaN))
    assert.strictEqual(power(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)
    assert.strictEqual(power(Number.NEGATIVE_INFINITY), 0)
    assert.strictEqual(power(1), Math.E)
    assert.isNaN(logarithm(Number.NaN))
    assert.strictEqual(Math.fround(logarithm(0)), Number.NEGATIVE_INFINITY)
    assert.strictEqual(logarithm(Math.E), 1)
    assert.isNaN(limited(Number.NaN, 0, 1))
    assert.strictEqual(limited(2, 0, 1), 1)
    assert.strictEqual(limited(-2, 0, 1), 0)
  })
})
