/** Weights on learned grids: what they begin as, what is stored of them, and which quantizers have one (docs/method.md, "Learned grids"). */
import { type Backend, noGrad, Random, scope, type Tensor, tensor } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import {
  bilevel,
  embeddingSym4,
  flatAsymmetric,
  hasFreeScales,
  learnedGrid,
  n2f3,
  none,
  type QuantizerChoice,
  quantizedOnGrid,
  storedOnGrid,
  uniform
} from "../src/index.ts"
import { bitsOf, numbersOf } from "./support/numbers.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

const choices: readonly (readonly [string, QuantizerChoice])[] = [
  ["bilevel, 2 bits", bilevel({ bits: 2, group: 16, scaleGroup: 16 })],
  ["bilevel, 3 bits", bilevel({ bits: 3, group: 16, scaleGroup: 8 })],
  ["bilevel, 4 bits", bilevel({ bits: 4, group: 32, scaleGroup: 32 })],
  ["bilevel with a second level in f32", bilevel({ bits: 2, group: 16, scaleGroup: 16, secondLevel: "f32" })],
  [
    "bilevel with the reference's common scale",
    bilevel({ bits: 2, group: 16, scaleGroup: 1, secondLevel: "f32", commonScale: "reference" })
  ],
  ["uniform", uniform({ bits: 2, group: 16 })],
  ["uniform, 4 bits and f32", uniform({ bits: 4, group: 16, scale: "f32" })],
  ["uniform around 0", uniform({ bits: 3, group: 16, range: "zero" })],
  ["symmetric", uniform({ bits: 4, group: 16, symmetric: true })]
]

const shape = [32, 64] as const

/** Normal weights of every size, with groups that are constant, 0, nearly 0, on one side of 0, and with an outlier. */
const weightOf = (backend: Backend): Tensor => {
  const random = Random.make(5)
  const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => {
    return 10 ** ((Math.floor(i / shape[1]) % 7) - 4) * random.nextNormal()
  })
  values.fill(0.3, 0, 32)
  values.fill(0, 64, 96)
  values.fill(1e-9, 128, 160)
  for (let i = 192; i < 224; i++) values[i] = 0.5 + Math.abs(values[i]!)
  values[260] = 40
  return tensor(backend, values, shape)
}

onEveryBackend("a weight on a learned grid", (backend) => {
  describe.each(choices)("of %s", (_, choice) => {
    const { quantizer, config } = choice
    const grid = learnedGrid(choice)!

    it("is the published fake quantization to the bit where scales and zero points are those of its range", async () => {
      const weight = weightOf(backend)
      const fake = await numbersOf(() => noGrad(() => quantizer.fakeQuantize(config, weight)))
      const found = await numbersOf(() => noGrad(() => quantizedOnGrid(grid, { weight, ...grid.range(weight) })))
      assert.deepStrictEqual(bitsOf(found), bitsOf(fake))
    })

    it("is what its stored form stands for, wherever scales and zero points were moved", async () => {
      const weight = weightOf(backend)
      const { scale, zero } = scope(() => {
        const { scale, zero } = grid.range(weight)
        return { scale, zero }
      })
      const moved = async (x: Tensor, by: (value: number, i: number) => number) =>
        tensor(backend, Float32Array.from(await x.read(), by), x.shape)
      const parts = {
        weight,
        // Between those that can be stored, of nothing, and below it; zero points between codes and outside of them.
        scale: await moved(scale, (value, i) => (i < 2 ? -i : value * (1 + 0.5 * Math.sin(i)))),
        zero: await moved(zero, (value, i) => value + 3 * Math.sin(i))
      }
      const found = await numbersOf(() => noGrad(() => quantizedOnGrid(grid, parts)))
      const stored = await numbersOf(() => noGrad(() => quantizer.dequantize(config, storedOnGrid(grid, parts), shape)))
      assert.deepStrictEqual(bitsOf(found), bitsOf(stored))
      assert.isTrue(found.every(Number.isFinite))
    })
  })

  it("has scales of bilevel within half a step of those that were given, and zero points among the codes", async () => {
    const { quantizer, config } = bilevel({ bits: 2, group: 4, scaleGroup: 4 })
    const given = [0.1, 0.21, 0.33, 0.4]
    const scale = tensor(backend, Float32Array.from(given), [2, 2])
    const zero = tensor(backend, Float32Array.of(1.4, -2, 2.6, 9), [2, 2])
    const found = quantizer.grid!.nearest!(config, scale, zero)
    for (const [i, value] of (await numbersOf(() => found.scale.alias())).entries()) {
      assert.closeTo(value, given[i]!, 0.01 + 1e-3)
    }
    assert.deepStrictEqual([...(await numbersOf(() => found.zero.alias()))], [1, 0, 3, 3])
    assert.sameMembers(Object.keys(found.stored), ["zeros", "scaleCodes", "step", "origin"])
  })
})

describe("which grids can be learned", () => {
  it("is those of bilevel and uniform: of the first when asked for, as its groups share a second level", () => {
    const free = choices.filter(([, choice]) => hasFreeScales(choice)).map(([, { quantizer }]) => quantizer.id)
    assert.deepStrictEqual([...new Set(free)], ["uniform"])
  })

  it("says whether a grid has zero points", () => {
    assert.isFalse(learnedGrid(uniform({ bits: 4, group: 16, symmetric: true }))!.hasZero)
    assert.isTrue(learnedGrid(uniform({ bits: 4, group: 16 }))!.hasZero)
    assert.isTrue(learnedGrid(bilevel({ bits: 2, group: 16, scaleGroup: 16 }))!.hasZero)
  })

  it("is none of other quantizers, nor of bilevel in bf16", () => {
    const others = [
      n2f3({ group: 16 }),
      embeddingSym4(),
      flatAsymmetric(2),
      none,
      bilevel({ bits: 2, group: 16, scaleGroup: 16, arithmetic: "bf16" })
    ]
    for (const choice of others) assert.isUndefined(learnedGrid(choice), choice.quantizer.id)
  })
})
