/**
 * Where a second pass changes nothing. What a group of weights was rounded to is its fixed point where the group still
 * spans its range: for
 *
 *   none, n2f3             always;
 *   uniform (f16 scales)   where each group uses its first and its last code, or has 0 at that end of its range;
 *   bilevel                where besides each second-level group uses scale codes 0 and 15;
 *   int2-asym, int3-asym   as uniform, up to rounding of the f32 scale: the codes stay;
 *   embedding-sym4         codes stay; "reference" shrinks scales by 14/15 each time (quirk 3), "absmax7" keeps them up to rounding.
 *
 * Elsewhere the range of the rounded group is smaller than that of the weights, and a second pass moves it: weights are
 * quantized once and stored.
 */
import { Random, tensor } from "@speedq/tensors"
import fc from "fast-check"
import { assert, it } from "vitest"
import {
  bilevel,
  embeddingSym4,
  flatAsymmetric,
  n2f3,
  none,
  type QuantizedWeight,
  type QuantizerChoice,
  uniform
} from "../src/index.ts"
import { bitsOf, numbersOf } from "./support/numbers.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

const [rows, group, groups] = [6, 8, 2] as const
const columns = group * groups

const forSeeds = (law: (random: Random) => Promise<void>) =>
  fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => law(Random.make(seed))),
    { seed: 17, numRuns: 60 }
  )

/** Codes of each run of `length`, the first two of them 0 and `largest`. */
const spanningCodes = (random: Random, count: number, length: number, largest: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) =>
    i % length === 0 ? 0 : i % length === 1 ? largest : random.nextInteger(largest + 1)
  )

const half = (value: number): number => Math.round(value * 2 ** 18) / 2 ** 18 // in [0.004, 0.0078] a multiple of half's ulp

onEveryBackend("a second pass", (backend) => {
  const codes = (values: Uint8Array, shape: readonly number[]) => tensor(backend, values, shape, "u8")
  const floats = (values: readonly number[], shape: readonly number[]) => tensor(backend, values, shape)
  const perGroup = [rows, groups]
  const scales = (random: Random, count: number) =>
    Array.from({ length: count }, () => half(0.004 + 0.0038 * random.nextUniform()))

  /** Quantizes what a stored form stands for, and compares. */
  const comesBack = async ({ quantizer, config }: QuantizerChoice, stored: QuantizedWeight) => {
    const weight = quantizer.dequantize(config, stored, [rows, columns])
    const again = quantizer.quantize(config, weight)
    for (const [name, part] of Object.entries(stored)) {
      assert.deepEqual(Array.from(await again[name]!.read()), Array.from(await part.read()), name)
    }
    const twice = await numbersOf(() => quantizer.fakeQuantize(config, weight))
    assert.deepEqual(bitsOf(twice), bitsOf(Float32Array.from(await weight.read())))
  }

  const normal = (random: Random) =>
    tensor(
      backend,
      Float32Array.from({ length: rows * columns }, () => random.nextNormal()),
      [rows, columns]
    )

  it.each<QuantizerChoice>([none, n2f3({ group })])("of $quantizer.id changes nothing", ({ quantizer, config }) =>
    forSeeds(async (random) => {
      const weight = normal(random)
      const once = quantizer.fakeQuantize(config, weight)
      const twice = await numbersOf(() => quantizer.fakeQuantize(config, once))
      assert.deepEqual(bitsOf(twice), bitsOf(Float32Array.from(await once.read())))
    })
  )

  it.each([2, 3, 4, 8] as const)("of uniform codes of %i bits that span their range changes nothing", (bits) =>
    forSeeds((random) => {
      const largest = 2 ** bits - 1
      return comesBack(uniform({ bits, group }), {
        codes: codes(spanningCodes(random, rows * columns, group, largest), [rows, columns]),
        scale: floats(scales(random, rows * groups), perGroup),
        zeros: codes(
          Uint8Array.from({ length: rows * groups }, () => random.nextInteger(largest + 1)),
          perGroup
        )
      })
    })
  )

  it.each([2, 3, 4] as const)("of bilevel codes of %i bits that span both ranges changes nothing", (bits) =>
    forSeeds((random) => {
      const largest = 2 ** bits - 1
      const [scaleGroup, perColumnGroup] = [3, [groups, rows]]
      const zeros = Uint8Array.from({ length: rows * groups }, () => random.nextInteger(largest + 1))
      const scaleGroups = (rows * groups) / scaleGroup
      return comesBack(bilevel({ bits, group, scaleGroup }), {
        codes: codes(spanningCodes(random, rows * columns, group, largest), [rows, columns]),
        zeros: codes(zeros, perColumnGroup),
        scaleCodes: codes(spanningCodes(random, rows * groups, scaleGroup, 15), perColumnGroup),
        step: floats(scales(random, scaleGroups), [scaleGroups]),
        origin: floats(scales(random, scaleGroups), [scaleGroups])
      })
    })
  )

  it.each([2, 3] as const)("of int%i-asym keeps codes that span their range", (bits) =>
    forSeeds(async (random) => {
      const { quantizer, config } = flatAsymmetric(bits, { group })
      const largest = 2 ** bits - 1
      const own = spanningCodes(random, rows * columns, group, largest)
      const zeros = Uint8Array.from({ length: rows * groups }, () => random.nextInteger(largest + 1))
      const scale = scales(random, rows * groups)
      const stored = {
        codes: codes(own, [rows, columns]),
        scale: floats(scale, perGroup),
        zeros: codes(zeros, perGroup)
      }
      const again = quantizer.quantize(config, quantizer.dequantize(config, stored, [rows, columns]))
      assert.deepEqual(await again["codes"]!.read(), own)
      assert.deepEqual(await again["zeros"]!.read(), zeros)
      for (const [i, found] of (await again["scale"]!.read()).entries()) {
        assert.closeTo(found / scale[i]!, 1, 2 ** -22)
      }
    })
  )

  it.each([
    { grid: "reference", factor: 14 / 15 },
    { grid: "absmax7", factor: 1 }
  ] as const)("of embedding-sym4 on the grid $grid keeps codes and takes scales times $factor", ({ grid, factor }) =>
    forSeeds(async (random) => {
      const { quantizer, config } = embeddingSym4({ group, grid })
      const once = quantizer.quantize(config, normal(random))
      const again = quantizer.quantize(config, quantizer.dequantize(config, once, [rows, columns]))
      assert.deepEqual(await again["codes"]!.read(), await once["codes"]!.read())
      const before = await once["scale"]!.read()
      for (const [i, found] of (await again["scale"]!.read()).entries()) {
        assert.closeTo(found / before[i]!, factor, 2 ** -9)
      }
    })
  )

  it.each<QuantizerChoice>([uniform({ bits: 2, group }), bilevel({ bits: 2, group, scaleGroup: 3 })])(
    "of $quantizer.id moves groups that do not span their range",
    async ({ quantizer, config }) => {
      // 0.1 to 0.45: the zero point stays 0, so that the first code is not used.
      const weights = Float32Array.from({ length: rows * columns }, (_, i) => 0.1 + 0.05 * (i % group))
      const once = quantizer.fakeQuantize(config, tensor(backend, weights, [rows, columns]))
      const twice = await numbersOf(() => quantizer.fakeQuantize(config, once))
      assert.notDeepEqual(Array.from(twice), Array.from(await once.read()))
    }
  )
})
