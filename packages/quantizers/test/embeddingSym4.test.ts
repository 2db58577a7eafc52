/** The embedding's grid and its quirks (internvl3.md 6.7). */
import { tensor } from "@speedq/tensors"
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
})
