import { makeReferenceBackend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import * as fc from "fast-check"
import { afterAll, assert, describe, it } from "vitest"
import {
  blocksUsed,
  type DropPath,
  type ModelConfig,
  projector,
  resizePositions,
  shuffledFeatures,
  visionBlock,
  visionBlockName,
  visionEmbeddings,
  visionTransformer,
  weightsFrom
} from "../src/index.ts"
import { largestDifference, loadDirectory, single, tinyConfig, tinyDirectory } from "./tinyModel.ts"

const backend = makeReferenceBackend()
afterAll(() => backend.close())
const { parameters } = loadDirectory(backend, tinyDirectory)
const weights = weightsFrom(parameters)
const vision = tinyConfig.vision_config
const pixels = tensor(backend, single.pixels.values, single.pixels.shape)
const numbers = async (x: Tensor) => (await x.read()) as Float32Array

describe("resizePositions", () => {
  const grids = fc.integer({ min: 1, max: 6 })

  it("changes nothing where the grid stays", () => {
    fc.assert(
      fc.property(grids, grids, (rows, columns) => {
        const table = Float32Array.from({ length: (1 + rows * columns) * 3 }, (_, i) => Math.sin(i))
        assert.isBelow(largestDifference(resizePositions(table, 3, [rows, columns], [rows, columns]), table), 1e-6)
      }),
      { seed: 1 }
    )
  })

  it("keeps the class token, and planes as they are: its weights add up to one", () => {
    fc.assert(
      fc.property(grids, grids, grids, grids, (h, w, height, width) => {
        const table = new Float32Array((1 + h * w) * 2).fill(0.75)
        table.set([5, -5])
        const resized = resizePositions(table, 2, [h, w], [height, width])
        assert.strictEqual(resized.length, (1 + height * width) * 2)
        assert.deepStrictEqual([...resized.subarray(0, 2)], [5, -5])
        for (const x of resized.subarray(2)) assert.approximately(x, 0.75, 1e-6)
      }),
      { seed: 2 }
    )
  })

  it("takes four neighbours with a = -0.75, edges repeated", () => {
    // From 2 to 4 in a row the sources are -0.25, 0.25, 0.75, 1.25; the kernel at distances 0.25, 0.75, 1.25, 1.75.
    const resized = resizePositions(Float32Array.from([0, 0, 1]), 1, [1, 2], [1, 4])
    const near = 1.25 * 0.25 ** 3 - 2.25 * 0.25 ** 2 + 1
    const far = -0.75 * (1.25 ** 3 - 5 * 1.25 ** 2 + 8 * 1.25 - 4)
    const middle = 1.25 * 0.75 ** 3 - 2.25 * 0.75 ** 2 + 1
    const outer = -0.75 * (1.75 ** 3 - 5 * 1.75 ** 2 + 8 * 1.75 - 4)
    assert.approximately(near + far + middle + outer, 1, 1e-12)
    const expected = [far, middle + outer, near + far, 1 - far]
    assert.isBelow(largestDifference(resized.subarray(1), expected), 1e-6)
  })
})

describe("shuffledFeatures", () => {
  // Two tiles of 1 + 4 x 4 tokens with 3 channels; a value says where it comes from.
  const [grid, width] = [4, 3]
  const at = (tile: number, y: number, x: number, channel: number) => tile * 1000 + y * 100 + x * 10 + channel
  const hidden = () => {
    const values: number[] = []
    for (const tile of [0, 1]) {
      values.push(-1, -1, -1)
      for (let y = 0; y < grid; y++)
        for (let x = 0; x < grid; x++) for (let c = 0; c < width; c++) values.push(at(tile, y, x, c))
    }
    return tensor(backend, values, [2, 1 + grid * grid, width])
  }

  it.each(["v2", "v1"] as const)("folds 2 x 2 neighbours into channels, as %s orders the grid", async (version) => {
    const folded = shuffledFeatures({ ...tinyConfig, ps_version: version }, hidden())
    assert.deepStrictEqual(folded.shape, [2, 4, 12])
    const expected: number[] = []
    for (const tile of [0, 1])
      for (const row of [0, 1])
        for (const column of [0, 1]) {
          const [y, x] = version === "v2" ? [row, column] : [column, row]
          for (const dy of [0, 1])
            for (const dx of [0, 1]) for (let c = 0; c < width; c++) expected.push(at(tile, 2 * y + dy, 2 * x + dx, c))
        }
    assert.deepStrictEqual([...(await numbers(folded))], expected)
  })
})

describe("visionTransformer", () => {
  const withLayer = (select_layer: number): ModelConfig => ({ ...tinyConfig, select_layer })
  const hiddenOf = (select_layer: number) => numbers(visionTransformer(weights, withLayer(select_layer), pixels))

  it("stops at the chosen layer: the last, the one before, the embeddings", async () => {
    assert.deepStrictEqual(
      [-1, -2, -3].map((layer) => blocksUsed(withLayer(layer))),
      [2, 1, 0]
    )
    const embedded = visionEmbeddings(weights, vision, pixels)
    const first = visionBlock(weights, vision, visionBlockName(0), embedded)
    const second = visionBlock(weights, vision, visionBlockName(1), first)
    assert.deepStrictEqual(await hiddenOf(-3), await numbers(embedded))
    assert.deepStrictEqual(await hiddenOf(-2), await numbers(first))
    assert.deepStrictEqual(await hiddenOf(-1), await numbers(second))
  })

  it("gives the visual tokens that PyTorch computed", async () => {
    const hidden = visionTransformer(weights, tinyConfig, pixels)
    const visual = projector(weights, shuffledFeatures(tinyConfig, hidden))
    assert.deepStrictEqual(visual.shape, [1, 4, 64])
    assert.isBelow(largestDifference(await numbers(visual), single.visual), 1e-4)
  })

  it("keeps nothing but its result", () => {
    const { buffers } = backend.usage()
    const result = noGrad(() => scope(() => visionTransformer(weights, tinyConfig, pixels)))
    assert.strictEqual(backend.usage().buffers, buffers + 1)
    result.release()
  })
})

describe("stochastic depth", () => {
  const tiles = tensor(
    backend,
    [...single.pixels.values, ...single.pixels.values],
    [2, ...single.pixels.shape.slice(1)]
  )
  const embedded = visionEmbeddings(weights, vision, tiles)
  const factors = (...values: number[]) => tensor(backend, values, [values.length])
  const block = (dropPath?: DropPath) => numbers(visionBlock(weights, vision, visionBlockName(0), embedded, dropPath))
  const tileOf = (values: Float32Array, tile: number) => {
    const length = values.length / 2
    return values.slice(tile * length, (tile + 1) * length)
  }

  it("drops the branches of a tile, and leaves the other tile alone", async () => {
    const [x, kept] = [await numbers(embedded), await block()]
    const dropped = await block({ attention: factors(0, 1), mlp: factors(0, 1) })
    assert.deepStrictEqual(tileOf(dropped, 0), tileOf(x, 0))
    assert.deepStrictEqual(tileOf(dropped, 1), tileOf(kept, 1))
  })

  it("scales a branch that stays by its factor", async () => {
    const x = await numbers(embedded)
    const none = factors(0, 0)
    const once = await block({ attention: factors(1, 1), mlp: none })
    const twice = await block({ attention: factors(2, 2), mlp: none })
    const expected = once.map((value, i) => x[i]! + 2 * (value - x[i]!))
    assert.isBelow(largestDifference(twice, expected), 1e-5)
    assert.isAbove(largestDifference(once, x), 1e-3)
  })

  it("is asked for every block", () => {
    const asked: number[] = []
    visionTransformer(weights, tinyConfig, tiles, (index) => {
      asked.push(index)
      return undefined
    })
    assert.deepStrictEqual(asked, [0, 1])
  })
})
