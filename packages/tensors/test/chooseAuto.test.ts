/** What "auto" takes of a processor and a GPU. */
import { assert, describe, it } from "vitest"
import { chooseAuto, measureProducts, openBackend } from "../src/index.ts"

const speed = (gflops: number) => ({ gflops, m: 512, k: 896, n: 4864 })

describe("auto", () => {
  it("takes a GPU that multiplies twice as fast, and says both speeds", () => {
    const { takes, why } = chooseAuto(speed(200), speed(25_000))
    assert.strictEqual(takes, "gpujs:webgpu")
    assert.strictEqual(why, "the GPU multiplies at 25000 GFLOP/s, the processor at 200 GFLOP/s")
  })

  it.each([1, 199, 200, 399])("keeps to the processor where a GPU has %d of its 200 GFLOP/s", (gflops) => {
    const { takes, why } = chooseAuto(speed(200), speed(gflops))
    assert.strictEqual(takes, "native")
    assert.match(why, /the processor at 200 GFLOP\/s; auto takes a GPU that is 2 times as fast$/)
  })

  it("keeps to the processor where no GPU answers, with the reason", () => {
    assert.deepStrictEqual(chooseAuto(speed(200), "WebGPU found no adapter"), {
      takes: "native",
      why: "no GPU answers: WebGPU found no adapter"
    })
  })

  it("measures a processor without leaving anything behind", async () => {
    const backend = await openBackend("native:none")
    const { gflops } = await measureProducts(backend, 1)
    assert.isAbove(gflops, 0)
    assert.strictEqual(backend.usage().buffers, 0)
    await backend.close()
  })
})
