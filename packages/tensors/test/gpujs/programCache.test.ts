/** The cache of compiled programs, over a device that only counts. */
import { assert, describe, it } from "vitest"
import { type Device, makeMeter } from "../../src/backends/gpujs/Device.ts"
import type { GpujsProgram, Thread, Values } from "../../src/backends/gpujs/GpujsBody.ts"
import { makeProgramCache } from "../../src/backends/gpujs/programCache.ts"
import { kernels, type Shape, UnsupportedKernel } from "../../src/index.ts"

const counting = (fixed: boolean) => {
  const counts = { compiled: 0, destroyed: 0, run: 0 }
  const device: Device<string> = {
    name: "gpujs:counting",
    elementBytes: () => 4,
    maxElements: () => 2 ** 30,
    fixed,
    upload: () => "uploaded",
    zeros: () => "zeros",
    download: () => new Float32Array(0),
    release: () => {},
    compile: (_kernel, program) => {
      if (program.output === "broken") throw new Error("line 3: syntax")
      counts.compiled++
      return {
        run: async ({ output }) => {
          counts.run++
          return output
        },
        destroy: () => void counts.destroyed++
      }
    },
    usage: makeMeter().usage,
    takeFailure: () => undefined,
    trim: () => {},
    close: async () => {}
  }
  return { counts, cache: makeProgramCache(device) }
}

const programsOf = (name: string, inputs: { readonly [name: string]: Shape }, attributes: object) => {
  const kernel = kernels.find((known) => known.name === name)!
  const inferred = kernel.infer(inputs, attributes)
  const outputs = Object.fromEntries(kernel.outputs.map((output) => [output, inferred[output]!.shape]))
  return kernel.gpujs!.programs({ inputs, outputs }, attributes)
}

/** Calls of one layer at a sequence length. */
const layerAt = (tokens: number): readonly (readonly [string, readonly GpujsProgram[]])[] => {
  const head = { q: [1, tokens, 14, 64], k: [1, tokens, 2, 64], v: [1, tokens, 2, 64] }
  return [
    ["linear", programsOf("linear", { x: [1, tokens, 896], weight: [4864, 896] }, {})],
    ["matmul", programsOf("matmul", { a: [tokens, 4864], b: [tokens, 896] }, { transposeA: true, transposeB: false })],
    ["rmsNorm", programsOf("rmsNorm", { x: [1, tokens, 896], weight: [896] }, { epsilon: 1e-6 })],
    ["attention", programsOf("attention", head, { causal: true, scale: 0.125 })],
    ["gatherRows", programsOf("gatherRows", { table: [151674, 896], index: [tokens] }, {})],
    ["sum", programsOf("sum", { x: [tokens, 7] }, {})]
  ]
}

describe("program cache", () => {
  it("compiles nothing for a new sequence length where sizes are arguments", async () => {
    const { counts, cache } = counting(false)
    const run = async (tokens: number) => {
      for (const [kernel, programs] of layerAt(tokens))
        for (const program of programs) await cache.run(kernel, program, [])
    }
    await run(100)
    const first = counts.compiled
    await run(101)
    await run(517)
    assert.strictEqual(counts.compiled, first)
    const other = programsOf("linear", { x: [1, 100, 1536], weight: [8960, 1536] }, {})
    for (const program of other) await cache.run("linear", program, [])
    assert.strictEqual(counts.compiled, first + 1, "another width is another program")
  })

  it("compiles each length once where sizes are compiled in", async () => {
    const { counts, cache } = counting(true)
    const [kernel, programs] = layerAt(8)[0]!
    const [, others] = layerAt(9)[0]!
    for (const program of [...programs, ...others, ...programs, ...others]) await cache.run(kernel, program, [])
    assert.deepEqual([counts.compiled, counts.run, counts.destroyed], [2, 4, 0])
  })

  it("is bounded: the longest unused go", async () => {
    function same(this: Thread, x: Values) {
      return x[this.thread.x]
    }
    const { counts, cache } = counting(true)
    const programOf = (length: number) => ({ output: "y", compute: same, reads: ["x"], extent: [length] })
    for (let length = 1; length <= 600; length++) await cache.run("many", programOf(length), [])
    assert.strictEqual(cache.size(), 512)
    assert.strictEqual(counts.destroyed, 600 - 512)
    await cache.run("many", programOf(600), [])
    assert.strictEqual(counts.compiled, 600, "the newest stayed")
    await cache.run("many", programOf(2 ** 27), [])
    assert.strictEqual(cache.size(), 1, "one that is large leaves no room for others")
    cache.clear()
    assert.strictEqual(counts.destroyed, counts.compiled)
  })

  it("says which kernel and program did not compile, and why", async () => {
    function same(this: Thread, x: Values) {
      return x[this.thread.x]
    }
    const { cache } = counting(true)
    const broken = { output: "broken", compute: same, reads: ["x"], extent: [2] }
    assert.throws(
      () => void cache.run("made up", broken, []),
      UnsupportedKernel,
      /made up: backend gpujs:counting cannot run it: program "broken": Error: line 3: syntax/
    )
  })
})
