/** Block-AP's steps (docs/method.md, "Block-AP"): what they win, and that they can be continued. */
import { bilevel, type QuantizerChoice, uniform } from "@speedq/quantizers"
import { type Backend, noGrad, Random, scope, tensor } from "@speedq/tensors"
import { assert, it } from "vitest"
import { fallingRate } from "../src/blockwise/trainBlock.ts"
import {
  type BlockState,
  efficientQatDefaults,
  initialTraining,
  NothingToRound,
  releaseBlockState,
  reportBlock,
  trainedTensors,
  trainedWeights,
  trainingStep
} from "../src/index.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"
import { toyBlock } from "./support/toyBlock.ts"

const options = { iterations: 60, learningRate: () => 5e-3, gridRate: 5e-3 }

it("falls from the whole rate to a twentieth, over half a cosine", () => {
  assert.strictEqual(fallingRate(2, 0, 10), 2)
  assert.closeTo(fallingRate(2, 5, 10), 2 * 0.525, 1e-12)
  assert.closeTo(fallingRate(2, 10, 10), 0.1, 1e-12)
})

it("has EfficientQAT's rates for weights by their bits", () => {
  assert.deepStrictEqual([2, 3, 4].map(efficientQatDefaults.learningRate), [2e-5, 1e-5, 1e-5])
})

const trained = async (backend: Backend, choice: QuantizerChoice, changed: Partial<typeof options> = {}) => {
  const { block, samples } = await toyBlock(backend, choice)
  const choices = new Map(Object.keys(block.grids).map((layer) => [layer, choice] as const))
  const start = () => noGrad(() => initialTraining(block, choices, Random.make(1)))
  const iterate = (from: BlockState, count: number): BlockState => {
    let state = from
    for (let i = 0; i < count; i++) {
      scope(() => {
        const batch = samples.batch([state.iteration % 12, (state.iteration + 5) % 12])
        state = trainingStep(block, choices, state, batch, { ...options, ...changed }).state
      })
    }
    return state
  }
  const report = (state: BlockState) => reportBlock(block, () => trainedWeights(choices, state.layers), samples, 5)
  return { block, choices, samples, start, iterate, report }
}

onEveryBackend("training a block", (backend) => {
  it("begins at rounding to nearest and does better, most where grids learn too", async () => {
    const [free, follows] = [uniform({ bits: 2, group: 16 }), bilevel({ bits: 2, group: 16, scaleGroup: 8 })]
    const errorOf = async (choice: QuantizerChoice, changed: Partial<typeof options> = {}) => {
      const { start, iterate, report } = await trained(backend, choice, changed)
      const before = await report(start())
      assert.closeTo(before.errorFitted / before.errorNearest, 1, 1e-5)
      const { errorFitted, errorNearest } = await report(iterate(start(), options.iterations))
      assert.isBelow(errorFitted, 0.7 * errorNearest)
      return errorFitted
    }
    await errorOf(follows)
    assert.isBelow(await errorOf(free), await errorOf(free, { gridRate: 0 }))
  })

  it("goes on from a saved state with the same bits, and leaves nothing behind", async () => {
    const choice = uniform({ bits: 2, group: 16 })
    const { start, iterate } = await trained(backend, choice)
    const whole = iterate(start(), 6)
    const before = iterate(start(), 2)
    const layers: { [layer: string]: BlockState["layers"][string] } = {}
    for (const [layer, tensors] of Object.entries(before.layers)) {
      assert.sameMembers(Object.keys(tensors), [...trainedTensors(choice)])
      const again = Object.entries(tensors).map(
        async ([name, saved]) => [name, tensor(backend, await saved.read(), saved.shape)] as const
      )
      layers[layer] = Object.fromEntries(await Promise.all(again))
    }
    releaseBlockState(before)
    const held = backend.usage().buffers
    const after = iterate({ ...before, layers }, 4)
    assert.strictEqual(backend.usage().buffers, held)
    for (const [layer, tensors] of Object.entries(whole.layers)) {
      for (const [name, expected] of Object.entries(tensors)) {
        const [found, numbers] = [await after.layers[layer]![name]!.read(), await expected.read()]
        // The reference backend computes in double precision, which a copy in f32 does not hold.
        if (backend.name !== "reference") assert.deepEqual(found, numbers, `${name} of ${layer}`)
        else for (const [i, value] of found.entries()) assert.closeTo(value, numbers[i]!, 1e-4)
      }
    }
  })

  it("refuses a block without quantized layers", async () => {
    const { block, samples, choices } = await trained(backend, uniform({ bits: 2, group: 16 }))
    const state = { iteration: 0, layers: {}, random: Random.make(0).save() }
    const empty = { ...block, grids: {} }
    assert.throws(() => trainingStep(empty, choices, state, samples.batch([0]), options), NothingToRound)
  })
})
