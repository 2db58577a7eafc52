/** Divergences measured from the middle of the model are those of the whole model with the block rounded. */

import { bilevel } from "@speedq/quantizers"
import { noGrad, Random, scope } from "@speedq/tensors"
import { headLayerOf, tokensPerTile, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { makePassage } from "../src/allocateBits/Passage.ts"
import { Compute } from "../src/compute/Compute.ts"
import type { MicroBatch } from "../src/data/SampleLoader.ts"
import { batchDivergence } from "../src/model/divergence.ts"
import { roundedMatrices } from "../src/model/roundedMatrices.ts"
import { openSourceModel } from "../src/model/SourceModel.ts"
import { hiddenStates } from "../src/training/hiddenStates.ts"
import { makeVisionFeatures } from "../src/training/VisionFeatures.ts"
import { makeNanoRuns } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { model: path } = await nanoFolder("passage", runs)
const choice = bilevel({ bits: 2, group: 16, scaleGroup: 16 })

const recordOf = (imageContext: number, imageTokens: number, tiles: number, tileSize: number): MicroBatch => {
  const random = Random.make(3, `record of ${tiles} tiles`)
  const inputIds = Int32Array.from([5, ...Array(tiles * imageTokens).fill(imageContext), 7, 9, 11, 13, 15])
  const length = inputIds.length
  return {
    size: 1,
    length,
    inputIds,
    labels: inputIds.map((id, at) => (at < length - 3 ? -100 : id)),
    attentionMask: new Uint8Array(length).fill(1),
    positionIds: inputIds.map((_, at) => at),
    pixelValues: Float32Array.from({ length: 3 * tiles * tileSize ** 2 }, () => random.nextUniform() - 0.5),
    imageFlags: new Uint8Array(tiles).fill(1),
    tileSize,
    samples: [0],
    tilesOf: [tiles],
    tileKeys: Array.from({ length: tiles }, (_, tile) => `tile ${tile} of ${tiles}`),
    made: [0],
    answerTokens: [3],
    cut: [0],
    substituted: []
  }
}

describe("a passage", () => {
  it("measures at every block what the whole model says, in any order", async () => {
    const measured = Effect.gen(function* () {
      const { backend } = yield* Compute
      const { directory, weights } = yield* openSourceModel(path)
      const { config, tokens, image } = directory
      const records = [2, 0].map((tiles) => recordOf(tokens.imageContext, tokensPerTile(config), tiles, image.tileSize))
      const head = headLayerOf(config.llm_config)

      /** By the functions that evaluations use. */
      const whole = async (layer: string): Promise<number> => {
        const rounded = roundedMatrices(weights, new Map([[layer, choice]]))
        let total = 0
        for (const batch of records) {
          const see = async (own: typeof weights) => {
            const network = weightsFrom(own)
            const features = await makeVisionFeatures({ backend, config, weights: network, budget: 0 }).of(batch, 0)
            const hidden = noGrad(() =>
              scope(() => hiddenStates({ backend, directory, weights: network, batch, features }))
            )
            return { hidden, weights: network, head }
          }
          total += (await batchDivergence(batch, await see(weights), await see({ ...weights, ...rounded }))).sum
        }
        return total
      }
      const passage = makePassage({ backend, directory, weights, records })
      const blocks = [
        [0, "vision_model.encoder.layers.0.mlp.fc1"],
        [2, "vision_model.encoder.layers.2.attn.qkv"],
        [3, "language_model.model.layers.0.mlp.down_proj"],
        [7, "language_model.model.layers.4.self_attn.o_proj"],
        [1, "vision_model.encoder.layers.1.mlp.fc2"]
      ] as const
      for (const [position, layer] of blocks) {
        const [found, expected] = [
          yield* Effect.promise(() => passage.divergence(position, new Map([[layer, choice]]))),
          yield* Effect.promise(() => whole(layer))
        ]
        assert.isAbove(expected, 0, layer)
        assert.closeTo(found / expected, 1, 1e-3, layer)
      }
      const live = backend.usage().bytes
      passage.close()
      assert.isBelow(backend.usage().bytes, live)
    })
    await runs.runtime.runPromise(Effect.scoped(measured))
  })
})
