/** Weights that are no numbers, or too large, are refused with place and count. */
import { cast, tensor } from "@speedq/tensors"
import { assert, it } from "vitest"
import { assertFinite, assertQuantizable, bilevel, n2f3, packWeight, uniform } from "../src/index.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"
import { rejectionOf } from "./support/raisedBy.ts"

onEveryBackend("a weight", (backend) => {
  const matrix = (values: readonly number[]) => tensor(backend, values, [2, values.length / 2])
  const damaged = [1, 2, 3, 4, 5, Number.NaN, Number.POSITIVE_INFINITY, Number.NaN]

  it("with NaN and infinity is refused: which, how many, where first", async () => {
    const { _tag, message } = await rejectionOf(assertFinite("layers.3.down_proj", matrix(damaged)))
    assert.strictEqual(_tag, "NonFiniteWeight")
    assert.include(message, "layers.3.down_proj: 2 NaN and 1 infinite weights, the first at [1, 1]")
  })

  it("with NaN is refused in 16 bits too", async () => {
    for (const dtype of ["bf16", "f16"] as const) {
      const { message } = await rejectionOf(assertFinite("w", cast(matrix(damaged), dtype)))
      assert.include(message, "2 NaN and 1 infinite weights, the first at [1, 1]")
    }
  })

  it("of numbers passes", async () => {
    await assertFinite("w", matrix([0, -0, 1e-40, 3e38]))
    await assertQuantizable("w", matrix([0, -0, 1e-40, 65504]), bilevel({ bits: 2, group: 2, scaleGroup: 1 }))
    await assertQuantizable("w", matrix([0, -0, 1e-40, 3e38]), n2f3({ group: 2 }))
  })

  it("too large for its scales is refused", async () => {
    const choice = uniform({ bits: 2, group: 2 })
    const { _tag, message } = await rejectionOf(assertQuantizable("w", matrix([1, 2, 7e4, -1e5]), choice))
    assert.strictEqual(_tag, "WeightTooLarge")
    assert.include(message, 'w: 2 weights exceed +-65504, the limit of the scales of "uniform"')
    assert.include(message, "the largest is -100000, the first at [1, 0]")
    await assertQuantizable("w", matrix([1, 2, 7e4, -1e5]), uniform({ bits: 2, group: 2, scale: "f32" }))
    const unfit = assertQuantizable("w", matrix(damaged), choice)
    assert.strictEqual((await rejectionOf(unfit))._tag, "NonFiniteWeight")
  })
})

onEveryBackend("packing", (backend) => {
  const choice = uniform({ bits: 2, group: 4 })

  it.each([
    { scale: Number.NaN, numbers: "1 NaN and 0 infinite numbers" },
    { scale: 1e6, numbers: "0 NaN and 1 infinite numbers" }
  ])("refuses scales that their format does not hold, and keeps nothing: $numbers", async ({ scale, numbers }) => {
    const weight = tensor(backend, [1, 2, 3, 4, 5, 6, 7, 8], [2, 4])
    const scales = tensor(backend, [1, scale], [2, 1])
    const quantized = { ...choice.quantizer.quantize(choice.config, weight), scale: scales }
    const before = backend.usage().buffers
    const { _tag, message } = await rejectionOf(packWeight("layers.3.down_proj", choice, weight.shape, quantized))
    assert.strictEqual(_tag, "ScaleNotFinite")
    const told = `layers.3.down_proj: "scale" of quantizer "uniform" has ${numbers}, the first at [1, 0]; the weight is`
    assert.include(message, told)
    assert.strictEqual(backend.usage().buffers, before)
  })
})
