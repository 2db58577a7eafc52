/** A model is deployed with finite numbers, or not at all: what is not says which parameter, and nothing stays allocated. */
import { packWeight, uniform } from "@speedq/quantizers"
import { makeReferenceBackend, type Parameters, tensor } from "@speedq/tensors"
import type { ModelDirectory } from "@speedq/vlm-model"
import { assert, describe, it } from "vitest"
import { type DeployOptions, deployModel, type ModelParts, type SourceModel } from "../src/index.ts"

const backend = makeReferenceBackend()
const layer = "layers.0.up_proj"
const [linear, norm] = [`${layer}.weight`, "norm.weight"]
const choice = uniform({ bits: 2, group: 4 })
const numbers = [1, 2, 3, 4, 5, 6, 7, 8]

const withNumber = (index: number, value: number): number[] => numbers.map((own, at) => (at === index ? value : own))
const matrix = (values: readonly number[]) => tensor(backend, values, [2, 4])

/** A source of one Linear and one norm; deploying looks at its weights alone. */
const sourceOf = (weights: Parameters): SourceModel => ({
  directory: {} as ModelDirectory,
  weights,
  stored: new Map()
})
const source = () => sourceOf({ [linear]: matrix(numbers), [norm]: tensor(backend, numbers, [8]) })

const nearest = new Map([[layer, choice]])

const refusal = async (model: SourceModel, parts: ModelParts, options: DeployOptions) => {
  const before = backend.usage().buffers
  const error = await deployModel(model, parts, options).then(
    () => assert.fail("it was deployed"),
    (raised: { readonly _tag: string; readonly message: string }) => raised
  )
  assert.strictEqual(backend.usage().buffers, before)
  return error
}

describe("deployModel", () => {
  it("keeps the bits of a model of finite numbers", async () => {
    const deployed = await deployModel(source(), {}, { rest: "bf16", nearest })
    assert.deepStrictEqual([...deployed.packed.keys()], [layer])
    const unpacked = deployed.packed.get(layer)!.unpack()
    const expected = choice.quantizer.fakeQuantize(choice.config, matrix(numbers))
    assert.deepStrictEqual(await unpacked.read(), await expected.read())
    assert.deepStrictEqual(await deployed.others[norm]!.read(), Float32Array.from(numbers))
    deployed.release()
  })

  it("takes the codes that a method chose for a layer of the language model", async () => {
    const weight = matrix(numbers)
    const fine = uniform({ bits: 4, group: 4 })
    const chosen = await packWeight(layer, fine, weight.shape, fine.quantizer.quantize(fine.config, weight))
    const quantizedLanguage = { parameters: {}, choices: new Map(), packed: new Map([[layer, chosen]]) }
    const deployed = await deployModel(source(), { quantizedLanguage }, { rest: "bf16", nearest })
    assert.strictEqual(deployed.packed.get(layer), chosen)
    assert.deepStrictEqual(Object.keys(deployed.others), [norm])
    deployed.release()
  })

  it("refuses a weight, trained or not, that is no number or too large", async () => {
    const damaged = matrix(withNumber(6, Number.NaN))
    const parts = { quantizedLanguage: { parameters: { [linear]: damaged }, choices: nearest } }
    const trained = await refusal(source(), parts, { rest: "bf16" })
    assert.strictEqual(trained._tag, "NonFiniteWeight")
    assert.include(trained.message, `${layer}: 1 NaN and 0 infinite weights, the first at [1, 2]`)
    const large = await refusal(sourceOf({ [linear]: matrix(withNumber(1, -1e9)) }), {}, { rest: "bf16", nearest })
    assert.strictEqual(large._tag, "WeightTooLarge")
    assert.include(large.message, `${layer}: 1 weights exceed +-65504, the limit of the scales of "uniform"`)
  })

  it("does not clamp away what is no number", async () => {
    const clipping = {
      "layers.0.up_proj.min": tensor(backend, [-1, -1], [2, 1]),
      "layers.0.up_proj.max": tensor(backend, [1, 1], [2, 1])
    }
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const model = sourceOf({ [linear]: matrix(withNumber(2, value)) })
      assert.strictEqual((await refusal(model, { clipping }, { rest: "bf16", nearest }))._tag, "NonFiniteWeight")
    }
    const clamped = await deployModel(
      sourceOf({ [linear]: matrix(withNumber(2, 1e9)) }),
      { clipping },
      { rest: "bf16", nearest }
    )
    clamped.release()
  })

  it("refuses what is not quantized and what its format does not hold", async () => {
    const weights = (value: number) => ({
      [linear]: matrix(numbers),
      [norm]: tensor(backend, withNumber(3, value), [8])
    })
    const options = { rest: "f16", nearest } as const
    const nan = await refusal(sourceOf(weights(Number.NaN)), {}, options)
    assert.strictEqual(nan._tag, "NonFiniteWeight")
    assert.include(nan.message, `${norm}: 1 NaN and 0 infinite weights, the first at [3]`)
    const large = await refusal(sourceOf(weights(1e5)), {}, options)
    assert.strictEqual(large._tag, "RestTooLarge")
    assert.include(large.message, `${norm}: its largest number, 100000, is too large for f16; set "rest" to bf16`)
    const deployed = await deployModel(sourceOf(weights(1e5)), {}, { rest: "bf16", nearest })
    deployed.release()
  })
})
