/** What block-wise stages fit a decoder layer on: samples of unequal lengths in one mini-batch, each as if it were alone. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Block, meanBlockError } from "@speedq/adaround"
import { noGrad, openBackend, scope, type Tensor, tensor } from "@speedq/tensors"
import { decoderLayer, randomWeights, readModelConfig, weightsFrom } from "@speedq/vlm-model"
import { afterAll, assert, describe, it } from "vitest"
import { makeBlockCaches } from "../src/blocks/BlockCaches.ts"
import { decoderForward } from "../src/blocks/decoderTower.ts"
import { nanoData } from "./support/nano.ts"

const directory = mkdtempSync(join(tmpdir(), "speedq-block-caches-"))
const backend = await openBackend("native")
afterAll(async () => {
  await backend.close()
  rmSync(directory, { recursive: true })
})

const config = readModelConfig(join(nanoData, "model"))
const { llm_config: language } = config
const weights = randomWeights(backend, config, { seed: 3, spread: "fan-in", layerScale: 1 })
const forward = decoderForward(backend, language)
const width = language.hidden_size
const lengths = [5, 2, 9, 9]
const sampleOf = (length: number, salt: number): Tensor =>
  tensor(
    backend,
    Float32Array.from({ length: length * width }, (_, i) => Math.sin(i * 1.7 + salt)),
    [1, length, width]
  )

const started = async (inputs: "asymmetric" | "full-precision") => {
  const caches = makeBlockCaches({
    ...{ backend, count: lengths.length, width, directory, inputs },
    memoryBudget: 9 * width * 8,
    weighted: false
  })
  for (const [sample, length] of lengths.entries()) {
    const both = { quantized: sampleOf(length, sample), original: sampleOf(length, sample + 0.1) }
    await caches.start(sample, both, (x) => forward(weightsFrom(weights), 0, x))
  }
  return caches
}

describe("a mini-batch of samples of unequal lengths", () => {
  it("gives each token the output that its sample has alone, and the mean over all tokens", async () => {
    const caches = await started("asymmetric")
    const block: Block = { name: "layer", grids: {}, forward: (_, x) => forward(weightsFrom(weights), 0, x) }
    const none = () => ({})
    const alone = await meanBlockError(block, none, caches, 1)
    assert.isAbove(alone, 0.01)
    assert.closeTo((await meanBlockError(block, none, caches, lengths.length)) / alone, 1, 1e-5)
    const { inputs, targets, rows } = caches.batch([0, 1, 2])
    assert.deepStrictEqual(inputs.shape, [3, 9, width])
    assert.deepStrictEqual(targets.shape, [16, width])
    assert.deepStrictEqual(
      [...(await rows!.read())],
      [0, 1, 2, 3, 4, 9, 10, ...Array.from({ length: 9 }, (_, i) => 18 + i)]
    )
    // Nothing to fill up: every row counts.
    assert.isUndefined(caches.batch([2, 3]).rows)
    caches.dispose()
  })

  it("takes inputs of the quantized or of the full-precision model, and targets of the latter", async () => {
    const [asymmetric, plain] = [await started("asymmetric"), await started("full-precision")]
    const numbers = async (x: Tensor) => [...(await x.read())]
    assert.deepStrictEqual(await numbers(asymmetric.batch([1]).inputs), await numbers(sampleOf(2, 1)))
    assert.deepStrictEqual(await numbers(plain.batch([1]).inputs), await numbers(sampleOf(2, 1.1)))
    const target = noGrad(() =>
      scope(() =>
        decoderLayer(weightsFrom(weights), language, 0, sampleOf(2, 1.1), {
          ids: tensor(backend, Int32Array.of(0, 1), [1, 2], "i32")
        })
      )
    )
    assert.deepStrictEqual(await numbers(asymmetric.batch([1]).targets), await numbers(target))
    assert.deepStrictEqual(await numbers(plain.batch([1]).targets), await numbers(target))
    await plain.advance(
      1,
      () => assert.fail("the quantized block is not asked"),
      (x) => x.alias()
    )
    assert.deepStrictEqual(await numbers(plain.batch([1]).inputs), await numbers(target))
    for (const caches of [asymmetric, plain]) caches.dispose()
  })
})
