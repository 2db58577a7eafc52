/** Options of quantizers: defaults, ranges, and what is refused. */
import { assert, describe, it } from "vitest"
import {
  bilevel,
  configure,
  decodeChoice,
  embeddingSym4,
  encodeChoice,
  flatAsymmetric,
  n2f3,
  noneQuantizer,
  quantizers,
  uniform
} from "../src/index.ts"
import { candidates } from "./support/arbitraryWeight.ts"
import { raisedBy } from "./support/raisedBy.ts"

describe("a choice", () => {
  it.each(candidates)("of $name is written down and read again", ({ choice }) => {
    const written = JSON.parse(JSON.stringify(encodeChoice(choice)))
    // What was written out first may leave defaults open.
    const { quantizer, config } = decodeChoice(written)
    assert.deepEqual({ quantizer, config }, { quantizer: choice.quantizer, config: choice.config })
  })

  it("is found by an id that only one quantizer has", () => {
    const ids = quantizers.map(({ id }) => id)
    assert.deepEqual([...new Set(ids)], ids)
  })

  it("of an unknown quantizer names the known ones", () => {
    const { _tag, message } = raisedBy(() => decodeChoice({ use: "int1" }))
    assert.strictEqual(_tag, "UnknownQuantizer")
    assert.include(message, '"int1"; known quantizers: bilevel, uniform')
  })

  it("of bilevel costs the bits of docs/method.md", () => {
    const bits = (options: Parameters<typeof bilevel>[0]) => {
      const { quantizer, config } = bilevel(options)
      return quantizer.bitsPerWeight(config)
    }
    assert.strictEqual(bits({ bits: 2, group: 16, scaleGroup: 16 }), 2.5)
    assert.strictEqual(bits({ bits: 4, group: 32, scaleGroup: 128 }), 4.2578125)
    assert.strictEqual(bits({ bits: 4, group: 32, scaleGroup: 16 }), 4.3125)
    const { quantizer, config } = embeddingSym4()
    assert.strictEqual(quantizer.bitsPerWeight(config), 4.5)
  })
})

describe("refused options", () => {
  const sizes = { group: 16, scaleGroup: 16 }

  it.each([
    { use: "bilevel", options: { bits: 5, ...sizes }, says: ["2 | 3 | 4", "bits", "5"] },
    { use: "bilevel", options: { bits: 2, group: 0, scaleGroup: 16 }, says: ["between 1 and 4096", "group", "0"] },
    { use: "bilevel", options: { bits: 2, group: 16, scaleGroup: 4097 }, says: ["scaleGroup", "4097"] },
    { use: "bilevel", options: { bits: 2, group: 2.5, scaleGroup: 16 }, says: ["integer", "2.5"] },
    { use: "bilevel", options: { bits: 2 }, says: ["Missing key", "group", "scaleGroup"] },
    { use: "bilevel", options: { bits: 2, ...sizes, grup: 1 }, says: ["grup"] },
    { use: "uniform", options: { bits: 1, group: 8 }, says: ["bits", "1"] },
    {
      use: "uniform",
      options: { bits: 2, group: 8, symmetric: true, range: "mse" },
      says: ['range "mse" is asymmetric']
    },
    { use: "embedding-sym4", options: { requantizePasses: 0 }, says: ["requantizePasses", "0"] },
    { use: "int2-asym", options: { group: -1 }, says: ["group", "-1"] },
    { use: "n2f3", options: { group: "all" }, says: ["group", "all"] },
    { use: "none", options: { bits: 2 }, says: ["bits"] }
  ])("of $use: $options", ({ use, options, says }) => {
    const { _tag, message } = raisedBy(() => decodeChoice({ use, with: options }))
    assert.strictEqual(_tag, "QuantizerConfigInvalid")
    for (const text of [`"${use}"`, ...says]) assert.include(message, text)
  })

  it("are refused in code as in JSON", () => {
    for (const make of [
      () => bilevel({ bits: 2, group: 0, scaleGroup: 16 }),
      () => uniform({ bits: 2, group: 8, symmetric: true, range: "zero" }),
      () => embeddingSym4({ requantizePasses: 11 }),
      () => flatAsymmetric(2, { group: 0 }),
      () => n2f3({ group: 1.5 }),
      () => configure(noneQuantizer, { bits: 2 })
    ]) {
      assert.strictEqual(raisedBy(make)._tag, "QuantizerConfigInvalid")
    }
  })
})
