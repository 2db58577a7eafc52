/** Features of a tile are the same bits whether it is seen alone, beside others, or again, wherever tiles pass the tower together. */
import { type Backend, BackendUnavailable, openBackend, Random } from "@speedq/tensors"
import { openModelDirectory, randomWeights, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import type { MicroBatch } from "../src/data/SampleLoader.ts"
import { type SeenTally, uncounted } from "../src/features/keptFeatures.ts"
import { makeVisionFeatures, tilesTogether } from "../src/training/VisionFeatures.ts"
import { makeNanoRuns } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { model } = await nanoFolder("vision-features", runs)
const { config, image } = await Effect.runPromise(openModelDirectory(model))
const size = 3 * image.tileSize ** 2

/** Pixels of tile `tile`, the same every time. */
const pixelsOf = (tile: number): Float32Array => {
  const random = Random.make(7, `tile ${tile}`)
  return Float32Array.from({ length: size }, () => random.nextUniform() - 0.5)
}

/** A micro-batch without text. */
const batchOf = (tiles: readonly number[]): MicroBatch => {
  const pixelValues = new Float32Array(tiles.length * size)
  for (const [at, tile] of tiles.entries()) pixelValues.set(pixelsOf(tile), at * size)
  return {
    ...{ size: 1, length: 0, inputIds: new Int32Array(), labels: new Int32Array() },
    ...{ attentionMask: new Uint8Array(), positionIds: new Int32Array() },
    ...{ pixelValues, imageFlags: new Uint8Array(tiles.length).fill(1), tileSize: image.tileSize },
    ...{ samples: [0], tilesOf: [tiles.length], tileKeys: tiles.map(String), made: [0], answerTokens: [0], cut: [0] },
    substituted: []
  }
}

/** Features of every tile of some micro-batches, one after the other through one tower. */
const seenBy = async (backend: Backend, batches: readonly (readonly number[])[], budget: number, tally?: SeenTally) => {
  const weights = weightsFrom(randomWeights(backend, config, { seed: 2, spread: "fan-in", layerScale: 1 }))
  const keeping = { numbers: "f32" as const, ...(tally ? { tally } : {}) }
  const features = makeVisionFeatures({ backend, config, weights, budget, keeping })
  const all: Float32Array[] = []
  for (const [index, tiles] of batches.entries()) {
    const tensor = (await features.of(batchOf(tiles), index))!
    const values = (await tensor.read()) as Float32Array
    const each = values.length / tiles.length
    for (const at of tiles.keys()) all.push(values.slice(at * each, (at + 1) * each))
    tensor.release()
  }
  return all
}

const many = Array.from({ length: 19 }, (_, tile) => tile)

const backends = await Promise.all(
  (["native", "reference", "gpujs:cpu", "gpujs:webgpu"] as const).map(async (name) => {
    const opened = await openBackend(name).catch((error: unknown) => {
      if (error instanceof BackendUnavailable) return error
      throw error
    })
    return { name, opened, isThere: !(opened instanceof BackendUnavailable) }
  })
)
afterAll(async () => {
  for (const { opened } of backends) if (!(opened instanceof BackendUnavailable)) await opened.close()
})

for (const { name, opened, isThere } of backends) {
  const reason = opened instanceof BackendUnavailable ? `: skipped, ${opened.message}` : ""
  describe.skipIf(!isThere)(`features of tiles on ${name}${reason}`, () => {
    const backend = opened as Backend

    it("have the bits of a tile alone", async () => {
      const tiles = name.startsWith("gpujs") ? many : many.slice(0, 3)
      const together = await seenBy(backend, [tiles], 0)
      const alone = await seenBy(
        backend,
        tiles.map((tile) => [tile]),
        0
      )
      assert.deepStrictEqual(together, alone)
    })

    it("are computed once for what comes again, within a micro-batch and later", async () => {
      const tally = uncounted()
      const budget = 2 * 4 * (await seenBy(backend, [[0]], 0))[0]!.length
      const seen = await seenBy(backend, [[0, 1, 0], [1, 2, 3], [3]], budget, tally)
      assert.deepStrictEqual([tally.computed, tally.remembered], [5, 2])
      assert.deepStrictEqual(seen[2], seen[0])
      assert.deepStrictEqual(seen[6], seen[5])
      assert.notDeepEqual(seen[1], seen[0])
    })
  })
}

describe("tiles that pass together", () => {
  it("are several on a GPU and one on a processor", () => {
    for (const { opened } of backends) {
      if (opened instanceof BackendUnavailable) continue
      assert.strictEqual(tilesTogether(opened) > 1, opened.kind === "gpujs")
    }
  })
})
