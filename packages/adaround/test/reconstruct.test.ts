/** The optimization: one step, interruption, weighting, errors (docs/method.md, "Block reconstruction"). */
import { bilevel, uniform } from "@speedq/quantizers"
import { noGrad, Random, scope, type Tensor, tensor } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import {
  addRoundingGradients,
  alphasOf,
  blockError,
  brecqDefaults,
  drawBatch,
  fisherImportance,
  hardWeights,
  initialRounding,
  meanBlockError,
  NonFiniteReconstruction,
  NothingToRound,
  type ReconstructionOptions,
  type RoundingGradients,
  type RoundingState,
  readLosses,
  releaseBlockState,
  releaseRoundingGradients,
  reportBlock,
  roundingGradients,
  roundingStep,
  undecidedShare
} from "../src/index.ts"
import { bitsOf } from "./support/bits.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"
import { inner, type Toy, tokens, toyBlock, width } from "./support/toyBlock.ts"

const choice = bilevel({ bits: 2, group: 16, scaleGroup: 8 })
const options: ReconstructionOptions = { ...brecqDefaults, iterations: 150, batch: 4, learningRate: 0.05 }

/** `count` iterations from a state. */
const iterate = ({ block, samples }: Toy, from: RoundingState, count: number): RoundingState => {
  let state = from
  for (let i = 0; i < count; i++) {
    scope(() => {
      const { chosen, random } = drawBatch(state, samples.count, options.batch)
      state = roundingStep(block, { ...state, random }, samples.batch(chosen), options).state
    })
  }
  return state
}

const start = ({ block }: Toy): RoundingState => initialRounding(block.grids, Random.make(3, "toy"))

describe("a mini-batch", () => {
  const state = { iteration: 0, layers: {}, random: Random.make(9).save() }

  it("has no sample twice, and all of them when there are too few", () => {
    for (const [samples, batch, size] of [
      [20, 6, 6],
      [5, 8, 5]
    ] as const) {
      const { chosen } = drawBatch(state, samples, batch)
      assert.lengthOf(chosen, size)
      assert.strictEqual(new Set(chosen).size, size)
      assert.isTrue(chosen.every((sample) => sample >= 0 && sample < samples))
    }
  })

  it("follows from the state, which goes on", () => {
    const one = drawBatch(state, 50, 10)
    assert.deepEqual(drawBatch(state, 50, 10).chosen, one.chosen)
    assert.notDeepEqual(drawBatch({ ...state, random: one.random }, 50, 10).chosen, one.chosen)
  })
})

describe("Fisher weighting", () => {
  it("is (|g| + 1)^2", () => {
    assert.deepEqual(fisherImportance(Float32Array.of(0, 1, -1, 0.5)), Float32Array.of(1, 4, 4, 2.25))
  })
})

onEveryBackend("reconstruction", (backend) => {
  /** To the bit; the reference backend computes in double precision, which no file of ours holds. */
  const isSame = async (actual: Tensor, expected: Tensor, what: string) => {
    if (backend.name !== "reference") return assert.deepEqual(await bitsOf(actual), await bitsOf(expected), what)
    const numbers = await expected.read()
    for (const [i, value] of (await actual.read()).entries()) assert.closeTo(value, numbers[i]!, 1e-4, what)
  }

  it("sums squared errors over channels, averages over tokens, and weighs them", async () => {
    const { block, samples } = await toyBlock(backend, choice)
    const { inputs, targets } = samples.batch([2, 7])
    const weights = Object.fromEntries(Object.entries(block.grids).map(([name, { nearest }]) => [name, nearest()]))
    const output = await block.forward(weights, inputs).read()
    const y = await targets.read()
    const factors = Float32Array.from(y, (_, i) => 1 + (i % 3))
    const expected = (factor: (i: number) => number) =>
      Array.from(output.keys()).reduce((sum, i) => sum + factor(i) * (output[i]! - y[i]!) ** 2, 0) / (2 * tokens)
    const plain = await blockError(block, weights, { inputs, targets }).item()
    assert.closeTo(plain / expected(() => 1), 1, 1e-4)
    const importance = tensor(backend, factors, targets.shape)
    const weighted = await blockError(block, weights, { inputs, targets, importance }).item()
    assert.closeTo(weighted / expected((i) => factors[i]!), 1, 1e-4)
  })

  it("counts the rows that have targets alone, in their mean and in the gradient", async () => {
    const { block, samples } = await toyBlock(backend, choice)
    const { inputs, targets } = samples.batch([2, 7])
    const weights = Object.fromEntries(Object.entries(block.grids).map(([name, { nearest }]) => [name, nearest()]))
    const y = await targets.read()
    // The last token of the second sample fills up.
    const own = 2 * tokens - 1
    const given = y.slice(0, own * width) as Float32Array
    const rows = tensor(
      backend,
      Int32Array.from({ length: own }, (_, row) => row),
      [own],
      "i32"
    )
    const batch = { inputs, targets: tensor(backend, given, [own, width]), rows }
    const output = await block.forward(weights, inputs).read()
    const expected = given.reduce((sum, value, i) => sum + (output[i]! - value) ** 2, 0) / own
    assert.closeTo((await blockError(block, weights, batch).item()) / expected, 1, 1e-4)
    const filled = (await inputs.read()).slice() as Float32Array
    filled.fill(9, own * width)
    const other = { ...batch, inputs: tensor(backend, filled, inputs.shape) }
    const [one, two] = [batch, other].map((each) => {
      const state = initialRounding(block.grids, Random.make(3, "toy"))
      return roundingStep(block, state, each, options).state
    })
    await isSame(one!.layers.w1!.m, two!.layers.w1!.m, "gradient")
  })

  it("cut into parts has the loss and gradients of the whole, but for the order of sums", async () => {
    const { block, samples } = await toyBlock(backend, choice)
    const alphas = alphasOf(initialRounding(block.grids, Random.make(3, "toy")))
    const before = backend.usage().buffers
    const gradients = (chosen: readonly number[], of?: number) =>
      scope(() => roundingGradients(block, alphas, samples.batch(chosen), of))
    const whole = gradients([2, 7, 11])
    const parts = [gradients([2], 3 * tokens), gradients([7, 11], 3 * tokens)]
    const sum = parts.reduce(
      (before: RoundingGradients | undefined, next) => addRoundingGradients(before, next),
      undefined
    )!
    assert.closeTo((await sum.reconstruction.item()) / (await whole.reconstruction.item()), 1, 1e-5)
    for (const [layer, gradient] of Object.entries(whole.gradients)) {
      const values = await gradient.read()
      const largest = Math.max(...Array.from(values, Math.abs))
      for (const [i, value] of (await sum.gradients[layer]!.read()).entries()) {
        assert.isBelow(Math.abs(value - values[i]!), 1e-5 * largest, layer)
      }
    }
    for (const each of [whole, sum]) releaseRoundingGradients(each)
    assert.strictEqual(backend.usage().buffers, before)
  })

  it("has no regularizer during warm-up and one after it", async () => {
    const toy = await toyBlock(backend, choice)
    let state = start(toy)
    for (let t = 1; t <= 40; t++) {
      const { chosen, random } = drawBatch(state, toy.samples.count, options.batch)
      const batch = toy.samples.batch(chosen)
      const result = scope(() => roundingStep(toy.block, { ...state, random }, batch, options))
      state = result.state
      assert.strictEqual(state.iteration, t)
      assert.strictEqual(result.losses.rounding === undefined, t < 0.2 * options.iterations)
      const { reconstruction, rounding } = await readLosses(toy.block, state, result.losses)
      assert.isAbove(reconstruction, 0)
      assert.isTrue(t < 0.2 * options.iterations ? rounding === 0 : rounding > 0)
    }
  })

  it("does better than rounding to nearest and decides its roundings", async () => {
    for (const on of [choice, uniform({ bits: 2, group: 16, range: "mse" })]) {
      const toy = await toyBlock(backend, on)
      const state = iterate(toy, start(toy), options.iterations)
      const fitted = () => hardWeights(toy.block.grids, state)
      const report = await reportBlock(toy.block, fitted, toy.samples, 5)
      assert.strictEqual(report.block, "toy")
      assert.closeTo(report.errorBefore, 0, 1e-6)
      assert.isAbove(report.errorNearest, 0)
      assert.isBelow(report.errorFitted, 0.9 * report.errorNearest)
      const undecidedAtFirst = await undecidedShare(start(toy))
      assert.isAbove(undecidedAtFirst, 0.9)
      assert.isBelow(await undecidedShare(state), 0.6 * undecidedAtFirst)
    }
  })

  it("keeps to what importance says", async () => {
    // Only the first half of the channels counts: their error must end up smaller than without weighting.
    const half = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => i % width < width / 2)
    const errorOfHalf = async (toy: Toy) => {
      const state = iterate(toy, start(toy), options.iterations)
      const weights = hardWeights(toy.block.grids, state)
      const { inputs, targets } = toy.samples.batch([...Array(toy.samples.count).keys()])
      const [output, y] = [half(await toy.block.forward(weights, inputs).read()), half(await targets.read())]
      return output.reduce((sum, value, i) => sum + (value - y[i]!) ** 2, 0)
    }
    let channel = 0
    const importance = () => (channel++ % width < width / 2 ? 1 : 0)
    const [weighted, plain] = [await toyBlock(backend, choice, { importance }), await toyBlock(backend, choice)]
    assert.isBelow(await errorOfHalf(weighted), await errorOfHalf(plain))
  })

  it("goes on from a saved state with the same bits, wherever it was interrupted", async () => {
    const toy = await toyBlock(backend, choice)
    const total = 16
    const whole = iterate(toy, start(toy), total)
    for (let k = 0; k <= total; k += 4) {
      const before = iterate(toy, start(toy), k)
      // Through files: numbers of the tensors, the rest as JSON.
      const rest = JSON.parse(JSON.stringify({ iteration: before.iteration, random: before.random }))
      const layers: { [name: string]: RoundingState["layers"][string] } = {}
      for (const [name, { alpha, m, v }] of Object.entries(before.layers)) {
        const again = async (saved: typeof alpha) => tensor(backend, await saved.read(), saved.shape)
        layers[name] = { alpha: await again(alpha), m: await again(m), v: await again(v) }
      }
      releaseBlockState(before)
      const after = iterate(toy, { ...rest, layers }, total - k)
      assert.deepEqual(after.random, whole.random)
      for (const name of Object.keys(whole.layers)) {
        for (const part of ["alpha", "m", "v"] as const) {
          await isSame(after.layers[name]![part], whole.layers[name]![part], `${name} ${part} from ${k}`)
        }
      }
    }
  })

  it("leaves nothing behind in a step", async () => {
    const toy = await toyBlock(backend, choice)
    const state = start(toy)
    const before = backend.usage().buffers
    const after = iterate(toy, state, 3)
    assert.strictEqual(backend.usage().buffers, before)
    releaseBlockState(after)
    assert.strictEqual(backend.usage().buffers, before - 3 * Object.keys(after.layers).length)
  })

  it("refuses a block without grids", async () => {
    const { samples } = await toyBlock(backend, choice)
    const empty = { name: "blocks.4", grids: {}, forward: (await toyBlock(backend, choice)).block.forward }
    const state = initialRounding({}, Random.make(0))
    assert.throws(() => roundingStep(empty, state, samples.batch([0]), options), NothingToRound, "blocks.4")
  })

  it("says block and iteration when the loss is no number", async () => {
    const toy = await toyBlock(backend, choice)
    const { inputs, targets } = toy.samples.batch([0])
    const damaged = { inputs, targets: tensor(backend, (await targets.read()).fill(Number.NaN), targets.shape) }
    const { state, losses } = roundingStep(toy.block, { ...start(toy), iteration: 7 }, damaged, options)
    const [result] = await Promise.allSettled([readLosses(toy.block, state, losses)])
    assert.strictEqual(result.status, "rejected")
    const { reason } = result as PromiseRejectedResult
    assert.instanceOf(reason, NonFiniteReconstruction)
    assert.include(reason.message, "toy: reconstruction loss is NaN at iteration 8")
    assert.isTrue(losses.reconstruction.released)
  })
})

onEveryBackend("a block's report", (backend) => {
  it("averages over tokens, not over batches", async () => {
    const { block, weights, samples } = await toyBlock(backend, choice, { count: 7 })
    const nearest = () => Object.fromEntries(Object.entries(block.grids).map(([name, grid]) => [name, grid.nearest()]))
    const everything = noGrad(() => blockError(block, nearest(), samples.batch([0, 1, 2, 3, 4, 5, 6])))
    const expected = await everything.item()
    for (const batch of [1, 3, 7, 100]) {
      assert.closeTo((await meanBlockError(block, nearest, samples, batch)) / expected, 1, 1e-5)
    }
    assert.closeTo(await meanBlockError(block, () => weights, samples, 4), 0, 1e-6)
  })

  it("counts roundings between 0 and 1 by more than 1e-3", async () => {
    const toy = await toyBlock(backend, choice)
    const state = start(toy)
    // h(+-2.4) is 0 or 1 within 1e-3, h(0) is a half.
    const alpha = (shape: readonly number[], open: number) =>
      tensor(
        backend,
        Float32Array.from({ length: inner * width }, (_, i) => (i < open ? 0 : i % 2 === 0 ? 2.5 : -2.5)),
        shape
      )
    const { w1, w2 } = state.layers
    const layers = {
      w1: { ...w1!, alpha: alpha([inner, width], 100) },
      w2: { ...w2!, alpha: alpha([width, inner], 28) }
    }
    assert.strictEqual(await undecidedShare({ ...state, layers }), 128 / (2 * inner * width))
  })
})
