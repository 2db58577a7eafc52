/** The network on GPU.js (WebAssembly mode, which is always there): the logits and tokens of the reference backend. */
import { makeReferenceBackend, noGrad, openBackend } from "@speedq/tensors"
import { afterAll, assert, describe, it } from "vitest"
import { generateTokens, greedy, weightsFrom } from "../src/index.ts"
import {
  largestDifference,
  loadDirectory,
  single,
  singleEmbeddings,
  singleLogits,
  tinyConfig,
  tinyDirectory
} from "./tinyModel.ts"

const gpujs = await openBackend("gpujs:webasm")
const reference = makeReferenceBackend()
afterAll(() => Promise.all([gpujs.close(), reference.close()]))

describe("the network on gpujs:webasm", () => {
  it("runs in the mode that was asked for", () => {
    assert.deepStrictEqual([gpujs.kind, gpujs.name], ["gpujs", "gpujs:webasm"])
  })

  it("computes the logits of the reference backend and of PyTorch", async () => {
    const logitsOn = (backend: typeof gpujs) =>
      singleLogits(backend, tinyConfig, loadDirectory(backend, tinyDirectory).parameters)
    const logits = await logitsOn(gpujs)
    assert.isBelow(largestDifference(logits, await logitsOn(reference)), 1e-4)
    assert.isBelow(largestDifference(logits, single.logits), 1e-4)
  })

  it("generates the same tokens from the cache, and gives its memory back", async () => {
    const tokensOn = async (backend: typeof gpujs) => {
      const weights = weightsFrom(loadDirectory(backend, tinyDirectory).parameters)
      const prompt = noGrad(() => singleEmbeddings(backend, tinyConfig, weights))
      const { buffers, bytes } = backend.usage()
      const request = {
        backend,
        config: tinyConfig,
        weights,
        prompt,
        maxNewTokens: 6,
        stopIds: new Set<number>(),
        sampler: greedy
      }
      const ids: number[] = []
      for await (const id of generateTokens(request)) ids.push(id)
      const after = backend.usage()
      assert.deepStrictEqual([after.buffers, after.bytes], [buffers, bytes])
      return ids
    }
    const tokens = await tokensOn(gpujs)
    assert.strictEqual(tokens.length, 6)
    assert.deepStrictEqual(tokens, await tokensOn(reference))
  })
})
