/**
 * Gradients of the single-level quantizers: the identity inside the range that their codes reach (docs/method.md,
 * "Quantization-aware training").
 */
import { multiply, Random, sum, type Tensor, tensor, valueAndGrad } from "@speedq/tensors"
import { assert, it } from "vitest"
import { embeddingSym4, none, type QuantizerChoice, uniform, uniformQuantizer } from "../src/index.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

const [rows, columns, group] = [4, 24, 8]

onEveryBackend("straight through", (backend) => {
  const normal = (seed: number) => {
    const random = Random.make(seed)
    return tensor(
      backend,
      Float32Array.from({ length: rows * columns }, () => random.nextNormal()),
      [rows, columns]
    )
  }
  const gradientOf = async ({ quantizer, config }: QuantizerChoice, weight: Tensor, dy: Tensor) => {
    const { gradients } = valueAndGrad(({ w }: { readonly w: Tensor }) => ({
      loss: sum(multiply(quantizer.fakeQuantize(config, w), dy)),
      auxiliary: undefined
    }))({ w: weight })
    return Float32Array.from(await gradients.w.read())
  }

  it.each([
    uniform({ bits: 2, group }),
    uniform({ bits: 3, group, range: "zero" }),
    uniform({ bits: 4, group, range: "mse" }),
    uniform({ bits: 2, group, symmetric: true })
  ])("uniform $config passes what its grid spans", async (choice) => {
    const [weight, dy] = [normal(1), normal(2)]
    const { scale, zero } = uniformQuantizer.grid!.parameters(choice.config, weight)
    const [s, z, w] = [await scale.read(), await zero.read(), await weight.read()]
    const largest = 2 ** choice.config.bits - 1
    const expected = Float32Array.from(await dy.read(), (value, i) => {
      const at = Math.floor(i / group)
      const inside = w[i]! >= -Math.fround(s[at]! * z[at]!) && w[i]! <= Math.fround(s[at]! * (largest - z[at]!))
      return inside ? value : 0
    })
    assert.deepEqual(await gradientOf(choice, weight, dy), expected)
  })

  it("none passes everything", async () => {
    const dy = normal(3)
    assert.deepEqual(await gradientOf(none, normal(1), dy), Float32Array.from(await dy.read()))
  })

  it("embedding-sym4 passes everything: no weight is further than half a step from its grid", async () => {
    const dy = normal(3)
    const all = Float32Array.from(await dy.read())
    for (const options of [{ group }, { group, grid: "absmax7", requantizePasses: 2 }] as const) {
      assert.deepEqual(await gradientOf(embeddingSym4(options), normal(1), dy), all)
    }
  })
})
