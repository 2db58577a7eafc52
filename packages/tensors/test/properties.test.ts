/** Laws that kernels obey for any numbers. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  type BilevelAttributes,
  bilevelCodes,
  bilevelDecode,
  crossEntropyRows,
  doubleValues,
  fakeQuantBilevel,
  fakeQuantUniform,
  klRows,
  makeReferenceBackend,
  scope,
  softmax,
  type Tensor,
  tensor,
  type UniformAttributes
} from "../src/index.ts"

const backend = makeReferenceBackend()
const check = <T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => void): void =>
  fc.assert(fc.property(arbitrary, law), { seed: 41, numRuns: 200 })

const numbers = (count: number, limit: number) =>
  fc.array(fc.float({ min: -limit, max: limit, noNaN: true }), { minLength: count, maxLength: count })

/** The numbers of a tensor that `body` makes. */
const values = (body: () => Tensor): readonly number[] => scope(() => Array.from(doubleValues(body())))

const row = (logits: readonly number[]) => tensor(backend, logits, [1, logits.length])

describe("losses over the vocabulary", () => {
  const pair = fc.tuple(numbers(9, 30), numbers(9, 30))

  it("KL is never negative, and nothing on equal logits", () => {
    check(pair, ([s, t]) => {
      const { forward, reverse } = klRows(row(s), row(t), undefined, { beta: 0.5, temperature: 1 })
      assert.isAtLeast(doubleValues(forward)[0]!, -1e-9)
      assert.isAtLeast(doubleValues(reverse)[0]!, -1e-9)
      const same = klRows(row(s), row(s), undefined, { beta: 0.5, temperature: 1 })
      assert.deepEqual([doubleValues(same.forward)[0], doubleValues(same.reverse)[0]], [0, 0])
    })
  })

  it("swapping student and teacher swaps the two divergences", () => {
    check(pair, ([s, t]) => {
      const one = klRows(row(s), row(t), undefined, { beta: 0.5, temperature: 2 })
      const other = klRows(row(t), row(s), undefined, { beta: 0.5, temperature: 2 })
      assert.strictEqual(doubleValues(one.forward)[0], doubleValues(other.reverse)[0])
      assert.strictEqual(doubleValues(one.reverse)[0], doubleValues(other.forward)[0])
    })
  })

  it("cross entropy and softmax do not change when all logits are shifted", () => {
    check(fc.tuple(numbers(9, 30), fc.integer({ min: -64, max: 64 })), ([s, shift]) => {
      const shifted = s.map((value) => Math.fround(value) + shift)
      const label = () => tensor(backend, [4], [1], "i32")
      const loss = (logits: Tensor) => crossEntropyRows(logits, label(), undefined, { smoothing: 0.1 })
      assert.closeTo(values(() => loss(row(shifted)))[0]!, values(() => loss(row(s)))[0]!, 1e-4)
      const [p, q] = [values(() => softmax(row(s))), values(() => softmax(row(shifted)))]
      for (const [i, value] of p.entries()) assert.closeTo(q[i]!, value, 1e-5)
    })
  })
})

describe("fake quantization", () => {
  const uniform: UniformAttributes = {
    bits: 3,
    group: 8,
    symmetric: false,
    rounding: "nearestThenZero",
    roundZero: true,
    rangeGradient: false
  }
  const bilevel: BilevelAttributes = {
    bits: 2,
    group: 8,
    scaleGroup: 2,
    secondLevel: "f32",
    commonScale: "exact",
    arithmetic: "f32"
  }
  const matrix = (weights: readonly number[]) => tensor(backend, weights, [2, weights.length / 2])

  it("scales with its weights by powers of two", () => {
    check(numbers(32, 8), (weights) => {
      const wide = weights.map((weight, i) => (i % 8 === 0 ? 1 : i % 8 === 1 ? -1 : weight)) // no range near the floor
      const once = values(() => fakeQuantUniform(matrix(wide), uniform))
      const twice = values(() => fakeQuantUniform(matrix(wide.map((weight) => 2 * weight)), uniform))
      assert.deepEqual(
        twice,
        once.map((value) => 2 * value)
      )
    })
  })

  it("takes at most 2^bits values a group", () => {
    check(numbers(32, 8), (weights) => {
      const y = values(() => fakeQuantUniform(matrix(weights), uniform))
      for (let start = 0; start < y.length; start += 8) {
        assert.isAtMost(new Set(y.slice(start, start + 8)).size, 8)
      }
    })
  })

  it("is what its codes stand for, to the bit", () => {
    check(numbers(32, 8), (weights) => {
      const y = values(() => fakeQuantBilevel(matrix(weights), bilevel))
      const decoded = values(() => bilevelDecode(bilevelCodes(matrix(weights), bilevel), bilevel))
      assert.deepEqual(decoded, y)
    })
  })

  it("keeps a common scale exactly", () => {
    check(fc.float({ min: Math.fround(0.001), max: 8, noNaN: true }), (size) => {
      const weights = Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? size : -size))
      const { bits, group } = bilevel
      const one = { bits, group, symmetric: false, rounding: "sum", roundZero: true, rangeGradient: false } as const
      const flat = values(() => fakeQuantUniform(matrix(weights), one))
      assert.deepEqual(
        values(() => fakeQuantBilevel(matrix(weights), bilevel)),
        flat
      )
    })
  })
})
