/**
 * A Linear on its grid: what is optimized, what is kept, what is stored (docs/method.md, "Scales before rounding" and
 * "Soft rounding").
 */
import {
  bilevel,
  embeddingSym4,
  flatAsymmetric,
  n2f3,
  none,
  packWeight,
  type QuantizerChoice,
  uniform
} from "@speedq/quantizers"
import { Random, tensor } from "@speedq/tensors"
import { assert, it } from "vitest"
import { type LayerGrid, makeLayerGrid, makeLayerGrids, NoGrid, NothingToRound } from "../src/index.ts"
import { bitsOf } from "./support/bits.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

const [rows, columns, group] = [8, 32, 16] as const

const choices: readonly { readonly name: string; readonly choice: QuantizerChoice }[] = [
  { name: "bilevel 2 bits", choice: bilevel({ bits: 2, group, scaleGroup: 4 }) },
  { name: "bilevel 4 bits f32", choice: bilevel({ bits: 4, group, scaleGroup: 8, secondLevel: "f32" }) },
  {
    name: "bilevel as the reference",
    choice: bilevel({
      bits: 4,
      group,
      scaleGroup: 4,
      secondLevel: "f32",
      commonScale: "reference",
      arithmetic: "bf16"
    })
  },
  { name: "bilevel mse", choice: bilevel({ bits: 2, group, scaleGroup: 4, range: "mse" }) },
  { name: "uniform max", choice: uniform({ bits: 2, group, range: "zero" }) },
  { name: "uniform mse", choice: uniform({ bits: 4, group, range: "mse" }) },
  { name: "uniform minmax f32", choice: uniform({ bits: 3, group, scale: "f32" }) },
  { name: "uniform symmetric", choice: uniform({ bits: 8, group, symmetric: true }) }
]

/** The error that making grids is refused with. */
const refusal = (making: Promise<unknown>): Promise<Error> =>
  making.then(
    () => assert.fail("grids were made"),
    (error: Error) => error
  )

onEveryBackend("a layer's grid", (backend) => {
  const normal = (seed: number, deviation: number) => {
    const random = Random.make(seed)
    const values = Float32Array.from({ length: rows * columns }, () => deviation * random.nextNormal())
    return tensor(backend, values, [rows, columns])
  }
  const weight = normal(1, 0.02)
  const alpha = normal(2, 3)

  /** floor(w / s) + z, the lower of the two codes of every weight. */
  const lowerCodes = async ({ parameters }: LayerGrid): Promise<readonly number[]> => {
    const [s, z] = [await parameters.scale.read(), await parameters.zero.read()]
    return Array.from(await weight.read(), (w, i) => {
      const at = Math.floor(i / group)
      return Math.floor(Math.fround(w / s[at]!)) + z[at]!
    })
  }

  it.each(choices)("starts at the weight itself: $name", async ({ choice }) => {
    const grid = makeLayerGrid("w", choice, weight)
    const soft = await grid.soft(grid.initialAlpha()).read()
    const largest = 2 ** choice.quantizer.grid!.extents(choice.config).bits - 1
    const lower = await lowerCodes(grid)
    const values = await weight.read()
    let inside = 0
    for (const [i, value] of soft.entries()) {
      // At the ends the grid does not reach past its last code.
      if (lower[i]! < 0 || lower[i]! >= largest) continue
      assert.closeTo(value, values[i]!, 1e-6)
      inside++
    }
    assert.isAbove(inside, values.length / 2)
  })

  it.each(choices)("decides for the upper code where alpha >= 0: $name", async ({ choice }) => {
    const grid = makeLayerGrid("w", choice, weight)
    const largest = 2 ** choice.quantizer.grid!.extents(choice.config).bits - 1
    const [lower, a] = [await lowerCodes(grid), await alpha.read()]
    const codes = await grid.stored(alpha)["codes"]!.read()
    const expected = lower.map((code, i) => Math.min(Math.max(code + (a[i]! >= 0 ? 1 : 0), 0), largest))
    assert.deepEqual(Array.from(codes), expected)
  })

  it.each(choices)("keeps the bits that its stored form stands for: $name", async ({ choice }) => {
    const grid = makeLayerGrid("w", choice, weight)
    const hard = await bitsOf(grid.hard(alpha))
    const stored = grid.stored(alpha)
    assert.deepEqual(await bitsOf(choice.quantizer.dequantize(choice.config, stored, weight.shape)), hard)
    const packed = await packWeight("w", choice, weight.shape, stored)
    assert.deepEqual(await bitsOf(packed.unpack()), hard)
  })

  it.each(choices)("rounds to nearest as its quantizer does: $name", async ({ choice }) => {
    const grid = makeLayerGrid("w", choice, weight)
    const fake = choice.quantizer.fakeQuantize(choice.config, weight)
    assert.deepEqual(await bitsOf(grid.nearest()), await bitsOf(fake))
  })

  it.each(choices)("begins with numbers on groups of nothing and next to nothing: $name", async ({ choice }) => {
    const values = Float32Array.from(
      { length: rows * columns },
      (_, i) => (Math.floor(i / group) % 2) * 1e-12 * (i % 5)
    )
    const grid = makeLayerGrid("w", choice, tensor(backend, values, [rows, columns]))
    const initial = grid.initialAlpha()
    assert.isTrue((await initial.read()).every(Number.isFinite))
    for (const weights of [grid.soft(initial), grid.hard(initial), grid.nearest()]) {
      for (const value of await weights.read()) assert.isTrue(Number.isFinite(value))
    }
  })

  it.each(choices)("leaves nothing behind: $name", ({ choice }) => {
    const before = backend.usage().buffers
    const grid = makeLayerGrid("w", choice, weight)
    for (const made of [grid.initialAlpha(), grid.soft(alpha), grid.hard(alpha), grid.nearest()]) made.release()
    for (const made of Object.values(grid.stored(alpha))) made.release()
    grid.release()
    assert.strictEqual(backend.usage().buffers, before)
  })

  it.each([flatAsymmetric(2, { group }), n2f3({ group }), embeddingSym4({ group })])(
    "is not there for $quantizer.id",
    (choice) => {
      const make = () => makeLayerGrid("blocks.3.attn.qkv", choice, weight)
      assert.throws(make, NoGrid, `blocks.3.attn.qkv: quantizer "${choice.quantizer.id}" has no grid to round on`)
    }
  )

  it("is left out for layers that stay as they are; a block of only those has nothing to round", async () => {
    const rounded = { weight, choice: uniform({ bits: 2, group }) }
    const left = { weight, choice: none }
    assert.deepEqual(Object.keys(await makeLayerGrids("blocks.0", { qkv: rounded, proj: left })), ["qkv"])
    const nothing = await refusal(makeLayerGrids("blocks.0", { proj: left }))
    assert.instanceOf(nothing, NothingToRound)
    assert.include(nothing.message, "blocks.0: there is no layer to round")
    assert.instanceOf(await refusal(makeLayerGrids("blocks.0", {})), NothingToRound)
  })

  it("of a block is given back when one layer has none", async () => {
    const before = backend.usage().buffers
    const layers = { qkv: { weight, choice: uniform({ bits: 2, group }) }, proj: { weight, choice: n2f3({ group }) } }
    assert.instanceOf(await refusal(makeLayerGrids("blocks.0", layers)), NoGrid)
    assert.strictEqual(backend.usage().buffers, before)
  })

  it("is refused to a weight that is no number, or too large for its scales", async () => {
    const before = backend.usage().buffers
    for (const [value, expected] of [
      [Number.NaN, "proj: 1 NaN and 0 infinite weights, the first at [1, 2]"],
      [1e9, 'proj: 1 weights exceed +-65504, the limit of the scales of "uniform"; the largest is 1000000000']
    ] as const) {
      const values = new Float32Array(2 * group)
      values[group + 2] = value
      const damaged = tensor(backend, values, [2, group])
      const choice = uniform({ bits: 2, group })
      const layers = { qkv: { weight, choice }, proj: { weight: damaged, choice } }
      assert.include((await refusal(makeLayerGrids("blocks.0", layers))).message, expected)
      damaged.release()
    }
    assert.strictEqual(backend.usage().buffers, before)
  })
})
