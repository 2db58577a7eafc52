/** AdaRound on a block of the tiny InternVL3 checkpoint, its activations cached in memory, in a file, or in both. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  type ActivationCache,
  type Block,
  type BlockSamples,
  brecqDefaults,
  drawBatch,
  hardWeights,
  initialRounding,
  makeActivationCache,
  makeLayerGrids,
  reportBlock,
  roundingStep,
  undecidedShare
} from "@speedq/adaround"
import { bilevel, type QuantizerChoice, uniform } from "@speedq/quantizers"
import { noGrad, openBackend, type Parameters, Random, scope, type Tensor, tensor } from "@speedq/tensors"
import { visionBlock, visionBlockName, visionEmbeddings, weightsFrom } from "@speedq/vlm-model"
import { afterAll, assert, describe, it } from "vitest"
import { loadTinyCheckpoint } from "./parity/checks/forward.ts"
import { readFixture } from "./parity/Fixture.ts"

const backend = await openBackend("native:none")
const directory = mkdtempSync(join(tmpdir(), "speedq-adaround-"))
afterAll(async () => {
  rmSync(directory, { recursive: true })
  await backend.close()
})

const { config, parameters } = loadTinyCheckpoint(
  backend,
  readFixture("test/fixtures/internvl3/forward-single-tile.safetensors")
)
const { vision_config: vision } = config
const name = visionBlockName(1)
const linears = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"].map((linear) => `${name}.${linear}.weight`)
const forward = (weights: Parameters, x: Tensor) => visionBlock(weightsFrom(weights, parameters), vision, name, x)

const count = 24
const [tokens, width] = [(vision.image_size / vision.patch_size) ** 2 + 1, vision.hidden_size]

/** Inputs of the block for random tiles. */
const inputsOf = (): Tensor =>
  noGrad(() =>
    scope(() => {
      const random = Random.make(11)
      const size = vision.image_size
      const pixels = Float32Array.from({ length: count * 3 * size ** 2 }, () => random.nextNormal())
      const all = weightsFrom(parameters)
      const embedded = visionEmbeddings(all, vision, tensor(backend, pixels, [count, 3, size, size]))
      return visionBlock(all, vision, visionBlockName(0), embedded)
    })
  )

/** Full-precision inputs and targets in caches with room for some samples in memory. */
const cached = async (memorySamples: number) => {
  const [inputs, targets] = ["inputs", "targets"].map((kind) =>
    makeActivationCache({
      count,
      memoryBudget: memorySamples * 4 * tokens * width,
      spillFile: join(directory, `${kind}-${memorySamples}`)
    })
  ) as [ActivationCache, ActivationCache]
  const x = inputsOf()
  const y = noGrad(() => forward({}, x))
  for (const [cache, activations] of [[inputs, x] as const, [targets, y] as const]) {
    const values = (await activations.read()) as Float32Array
    for (let sample = 0; sample < count; sample++) {
      cache.write(sample, values.subarray(sample * tokens * width, (sample + 1) * tokens * width))
    }
  }
  const load = (cache: ActivationCache, chosen: ArrayLike<number>): Tensor => {
    const rows = new Float32Array(chosen.length * tokens * width)
    for (const [at, sample] of Array.from(chosen).entries()) {
      cache.read(sample, rows.subarray(at * tokens * width, (at + 1) * tokens * width))
    }
    return tensor(backend, rows, [chosen.length, tokens, width])
  }
  const samples: BlockSamples = {
    count,
    batch: (chosen) => ({ inputs: load(inputs, chosen), targets: load(targets, chosen) })
  }
  return { samples, caches: [inputs, targets] }
}

const options = { ...brecqDefaults, iterations: 400, batch: 6, learningRate: 0.03 }

/** The whole optimization, and what came of it. */
const optimize = async (choice: QuantizerChoice, samples: BlockSamples, iterations = options.iterations) => {
  const layers = Object.fromEntries(linears.map((linear) => [linear, { weight: parameters[linear]!, choice }]))
  const block: Block = { name, grids: await makeLayerGrids(name, layers), forward }
  let state = initialRounding(block.grids, Random.make(2))
  for (let t = 0; t < iterations; t++) {
    scope(() => {
      const { chosen, random } = drawBatch(state, count, options.batch)
      state = roundingStep(block, { ...state, random }, samples.batch(chosen), options).state
    })
  }
  return { state, report: await reportBlock(block, () => hardWeights(block.grids, state), samples, 7) }
}

describe("a block of a vision transformer", () => {
  it.each([
    { name: "bilevel, 2 bits", choice: bilevel({ bits: 2, group: 16, scaleGroup: 16 }) },
    { name: "bilevel, 4 bits", choice: bilevel({ bits: 4, group: 32, scaleGroup: 16 }) },
    { name: "BRECQ's scales, 2 bits", choice: uniform({ bits: 2, group: 16, range: "mse" }) }
  ])("is reconstructed better than by rounding to nearest, with every rounding decided: $name", async ({ choice }) => {
    const { samples, caches } = await cached(count)
    const { report, state } = await optimize(choice, samples)
    for (const cache of caches) cache.dispose()
    assert.closeTo(report.errorBefore, 0, 1e-5)
    assert.isBelow(report.errorFitted, report.errorNearest / 2)
    assert.isBelow(await undecidedShare(state), 0.005)
  })

  it("comes to the same bits wherever its activations are cached", async () => {
    const alphas: (readonly number[])[] = []
    for (const memorySamples of [0, 9, count]) {
      const { samples, caches } = await cached(memorySamples)
      assert.strictEqual(caches[0]!.memoryBytes(), memorySamples * 4 * tokens * width)
      const { state } = await optimize(bilevel({ bits: 2, group: 16, scaleGroup: 16 }), samples, 8)
      alphas.push(Array.from(await state.layers[linears[2]!]!.alpha.read()))
      for (const cache of caches) cache.dispose()
    }
    assert.deepEqual(alphas[0], alphas[2])
    assert.deepEqual(alphas[1], alphas[2])
  })
})
