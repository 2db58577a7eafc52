/** The embedding's grid and its quirks (docs/method.md, "Embedding and head"). */
import { fromFloat16, Random, tensor, toFloat16 } from "@speedq/tensors"
import { assert, it } from "vitest"
import { embeddingSym4 } from "../src/index.ts"
import { numbersOf } from "./support/numbers.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

onEveryBackend("embedding-sym4", (backend) => {
  const absmax = 0.75
  const weights = [absmax, -absmax, 0.1, -0.1, 0, 0.5, -0.05, 0.7]
  const weight = () => tensor(backend, weights, [1, 8])
  const largest = async (options: Parameters<typeof embeddingSym4>[0]) => {
    const { quantizer, config } = embeddingSym4({ group: 8, scale: "f32", ...options })
    return Math.max(...(await numbersOf(() => quantizer.fakeQuantize(config, weight()))).map(Math.abs))
  }

  it("never uses code 15, whatever rounding does to the scale", async () => {
    for (let a = 1; a < 2; a += 0.013) {
      const { quantizer, config } = embeddingSym4({ group: 4 })
      const codes = await quantizer.quantize(config, tensor(backend, [a, -a, a / 3, 0], [1, 4]))["codes"]!.read()
      assert.deepEqual([codes[0], codes[1]], [14, 0])
    }
  })

  it("shrinks the largest weight by 14/15 on the reference's grid and keeps it on the other (quirk 4)", async () => {
    assert.closeTo(await largest({}), (absmax * 14) / 15, 1e-6)
    assert.closeTo(await largest({ grid: "absmax7" }), absmax, 1e-6)
  })

  it("shrinks it again in each of the reference's passes (quirk 3)", async () => {
    for (const requantizePasses of [1, 2, 3]) {
      assert.closeTo(await largest({ requantizePasses }), absmax * (14 / 15) ** requantizePasses, 1e-3)
    }
  })

  it("rounds every operation to half precision as the reference does (quirk 5)", async () => {
    const [rows, group] = [400, 32]
    const random = Random.make(5)
    const half = (value: number) => fromFloat16(toFloat16(value))
    const halfEven = (value: number) => {
      const floor = Math.floor(value)
      const rest = value - floor
      return floor + (rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? 1 : 0)
    }
    const values = Float32Array.from({ length: rows * group }, () => 0.02 * random.nextNormal())
    const run = (arithmetic: "f32" | "f16") => {
      const { quantizer, config } = embeddingSym4({ group, arithmetic })
      return numbersOf(() => quantizer.fakeQuantize(config, tensor(backend, values, [rows, group])))
    }
    const found = await run("f16")
    for (let row = 0; row < rows; row++) {
      const w = [...values.subarray(row * group, (row + 1) * group)].map(half)
      const scale = half((2 * Math.max(...w.map(Math.abs))) / 15)
      for (const [i, value] of w.entries()) {
        const code = Math.min(Math.max(halfEven(half(half(value / scale) + 7)), 0), 15)
        assert.strictEqual(found[row * group + i], half(scale * (code - 7)))
      }
    }
    assert.notDeepEqual(found, await run("f32"))
  })
})
