/**
 * The bilevel quantizer: golden vector, degenerate groups, layout, straight-through gradient (docs/method.md,
 * "Bilevel quantizer").
 */
import { multiply, Random, scope, sum, type Tensor, tensor, valueAndGrad } from "@speedq/tensors"
import fc from "fast-check"
import { assert, it } from "vitest"
import { bilevel, bilevelQuantizer } from "../src/index.ts"
import { bitsOf, numbersOf } from "./support/numbers.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

const reference = { secondLevel: "f32", commonScale: "reference" } as const

const goldenWeight = [
  [0.1, -0.2, 0.05, 0.3, -0.4, 0.1, 0.2, 0],
  [0.02, -0.01, 0.03, -0.04, 0.5, -0.25, 0.125, 0],
  [-0.6, 0.6, 0.3, -0.3, 0.01, 0.02, 0.03, 0.04],
  [0.07, 0, -0.07, 0.14, -0.9, -0.1, 0.3, 0.9]
]
const goldenWeights = [
  [0.174, -0.174, 0, 0.348, -0.41333333, 0, 0.20666666, 0],
  [0.02333333, 0, 0.02333333, -0.04666667, 0.492, -0.246, 0.246, 0],
  [-0.8, 0.4, 0.4, -0.4, 0.01, 0.02, 0.03, 0.03],
  [0.07355555, 0, -0.07355555, 0.1471111, -1.2, 0, 0, 0.6]
]

const ranges = ["minmax", "mse"] as const

const near = (actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-6): void => {
  assert.strictEqual(actual.length, expected.length)
  for (const [i, value] of expected.entries()) assert.closeTo(actual[i]!, value, tolerance, `at ${i}`)
}

onEveryBackend("bilevel", (backend) => {
  const matrix = (rows: readonly (readonly number[])[]) => tensor(backend, rows.flat(), [rows.length, rows[0]!.length])
  const normal = (random: Random, rows: number, columns: number) =>
    tensor(
      backend,
      Float32Array.from({ length: rows * columns }, () => random.nextNormal()),
      [rows, columns]
    )

  it("gives the golden vector of docs/method.md", async () => {
    const { quantizer, config } = bilevel({ bits: 2, group: 4, scaleGroup: 4, ...reference })
    const stored = quantizer.quantize(config, matrix(goldenWeight))
    const read = async (name: string) => Array.from(await stored[name]!.read())
    assert.deepEqual(await read("scaleCodes"), [6, 0, 15, 2, 5, 6, 0, 15])
    assert.deepEqual(await read("zeros"), [1, 2, 2, 1, 2, 1, 0, 2])
    assert.deepEqual(
      await read("codes"),
      [
        [2, 0, 1, 3, 0, 2, 3, 2],
        [3, 2, 3, 0, 3, 0, 2, 1],
        [0, 3, 3, 1, 1, 2, 3, 3],
        [2, 1, 0, 3, 0, 2, 2, 3]
      ].flat()
    )
    near(await read("step"), [0.02511111, 0.03933333])
    near(await read("origin"), [-0.92920357, -0.2542373])
    near(await numbersOf(() => quantizer.fakeQuantize(config, matrix(goldenWeight))), goldenWeights.flat())
  })

  it.each([
    { what: "zeros", weights: [0, 0, 0, 0], gives: [0, 0, 0, 0] },
    { what: "a constant 0.5", weights: [0.5, 0.5, 0.5, 0.5], gives: [2 / 3, 2 / 3, 2 / 3, 2 / 3] },
    { what: "a constant below 1/3", weights: [0.3, 0.3, 0.3, 0.3], gives: [0, 0, 0, 0] },
    { what: "positive weights, which saturate", weights: [0.1, 0.2, 0.3, 0.4], gives: [0.1, 0.2, 0.3, 0.3] }
  ])("takes $what as its format says", async ({ weights, gives }) => {
    // A scale that is alone in its second-level group is kept, so that the first level shows.
    const { quantizer, config } = bilevel({ bits: 2, group: 4, scaleGroup: 1, secondLevel: "f32" })
    near(await numbersOf(() => quantizer.fakeQuantize(config, matrix([weights]))), gives)
  })

  it("keeps a common scale, or falls to 0.0667 as the reference does (quirk 10)", async () => {
    const rows = [
      [-0.05, 0, 0.05, 0.1],
      [-0.05, 0.05, 0, 0.1]
    ]
    const scaleOf = (options: Partial<typeof bilevelQuantizer.Config.Type>) => {
      const { quantizer, config } = bilevel({ bits: 2, group: 4, scaleGroup: 2, secondLevel: "f32", ...options })
      return numbersOf(() => quantizer.fakeQuantize(config, matrix(rows)))
    }
    near(await scaleOf({}), rows.flat())
    near(await scaleOf({ secondLevel: "f16" }), rows.flat(), 1e-4)
    const step = 1 / 15
    near(await scaleOf({ commonScale: "reference" }), [-step, 0, step, step, -step, step, 0, step])
  })

  it("stores group j of row o at [j, o], each group as if it were alone", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 4 }),
        async (seed, rows, groups) => {
          const group = 6
          const weight = normal(Random.make(seed), rows, groups * group)
          const { quantizer, config } = bilevel({ bits: 3, group, scaleGroup: 1 })
          const whole = quantizer.quantize(config, weight)
          const values = await weight.read()
          const codes = await whole["codes"]!.read()
          const zeros = await whole["zeros"]!.read()
          for (let o = 0; o < rows; o++) {
            for (let j = 0; j < groups; j++) {
              const start = o * groups * group + j * group
              const alone = quantizer.quantize(config, tensor(backend, values.slice(start, start + group), [1, group]))
              assert.deepEqual(codes.slice(start, start + group), await alone["codes"]!.read())
              assert.deepEqual(zeros.slice(j * rows + o, j * rows + o + 1), await alone["zeros"]!.read())
            }
          }
        }
      ),
      { seed: 3, numRuns: 20 }
    ))

  it("permutes groups there and back: column groups that change places change them in the result", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
        async (seed, order) => {
          const [rows, group] = [8, 5]
          const { quantizer, config } = bilevel({ bits: 2, group, scaleGroup: 4 })
          const weight = normal(Random.make(seed), rows, order.length * group)
          const permuted = (values: ArrayLike<number>) =>
            Float32Array.from({ length: values.length }, (_, i) => {
              const [o, j, k] = [Math.floor(i / (4 * group)), Math.floor(i / group) % 4, i % group]
              return values[(o * 4 + order[j]!) * group + k]!
            })
          const direct = await numbersOf(() => quantizer.fakeQuantize(config, weight))
          const other = tensor(backend, permuted(await weight.read()), weight.shape)
          const moved = await numbersOf(() => quantizer.fakeQuantize(config, other))
          assert.deepEqual(bitsOf(moved), bitsOf(permuted(direct)))
        }
      ),
      { seed: 5, numRuns: 30 }
    ))

  it("passes gradients where -s' z <= w <= s' (2^b - 1 - z), both ends included, and nowhere else", () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.constantFrom(...ranges), async (seed, range) => {
        const [rows, groups, group] = [6, 2, 8]
        const random = Random.make(seed)
        const { quantizer, config } = bilevel({ bits: 2, group, scaleGroup: 3, range })
        const weight = normal(random, rows, groups * group)
        const dy = normal(random, rows, groups * group)
        const { gradients } = scope(() =>
          valueAndGrad(({ w }: { readonly w: Tensor }) => ({
            loss: sum(multiply(quantizer.fakeQuantize(config, w), dy)),
            auxiliary: undefined
          }))({ w: weight })
        )
        const { scale, zero } = bilevelQuantizer.grid!.parameters(config, weight)
        const [s, z] = [await scale.read(), await zero.read()]
        const [w, expected] = [await weight.read(), Float32Array.from(await dy.read())]
        for (const i of expected.keys()) {
          const at = Math.floor(i / group)
          const low = -Math.fround(s[at]! * z[at]!)
          const high = Math.fround(s[at]! * (3 - z[at]!))
          if (w[i]! < low || w[i]! > high) expected[i] = 0
        }
        assert.deepEqual(Float32Array.from(await gradients.w.read()), expected)
        assert.isTrue(expected.some((value) => value === 0) && expected.some((value) => value !== 0))
      }),
      { seed: 9, numRuns: 20 }
    ))
})
