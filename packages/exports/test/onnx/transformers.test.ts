/** Exports for transformers.js, loaded there in Node: the same prompts, pixels, visual tokens, logits and answers as ours. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { bilevel, embeddingSym4, type QuantizerChoice, uniform } from "@speedq/quantizers"
import { type Backend, openBackend, Random, tensor } from "@speedq/tensors"
import {
  type AnsweringModel,
  decodeImage,
  embeddingAndHead,
  imagenetStatistics,
  imageTiles,
  linearLayers,
  type ModelConfig,
  openModelDirectory,
  type RgbImage,
  randomWeights,
  type Tiles,
  tokenizerParts,
  towerOf,
  weightsFrom,
  writeTokenizer
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  type DeployedModel,
  largestDifference,
  packedWeights,
  releaseParameters,
  type SourceModel
} from "../../src/index.ts"
import { deploy, exportTo, openSource, temporary } from "../support/models.ts"
import { runtimeFault } from "../support/onnxruntime.ts"
import { answerTo, compute, firstToken } from "../support/ours.ts"
import { type ShippedModel, shippedModels } from "../support/shippedModels.ts"
import { type Loaded, openInTransformers } from "../support/transformersJs.ts"

const data = new URL("../../../../data/nano/", import.meta.url).pathname
const picture = readFileSync(join(data, "images", "0001.png"))
const question = "Is there a yellow object?"
const files = temporary("onnx-transformers")
afterAll(files.remove)

/** Quantizers of all Linears, of the embedding and of the head. */
const everywhere = (config: ModelConfig, choose: (layer: string) => QuantizerChoice) =>
  new Map([
    ...[...linearLayers(config).keys()].map((layer) => [layer, choose(layer)] as const),
    ...embeddingAndHead(config.llm_config).map((layer) => [layer, embeddingSym4({ group: 32 })] as const)
  ])

const twoBits = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
const fourBits = bilevel({ bits: 4, group: 32, scaleGroup: 16 })
const symmetric = uniform({ bits: 4, group: 32, symmetric: true })

interface Variant {
  readonly source: (backend: Backend) => Promise<SourceModel>
  readonly choices: (config: ModelConfig) => ReadonlyMap<string, QuantizerChoice>
  /** Options of the export. */
  readonly with?: object
  /** A trained model, which is asked questions of every kind. */
  readonly shipped?: ShippedModel
}

/** A model of Qwen3's kind with random weights: heads wider than its width, norms of queries and keys, one matrix for embedding and head. */
const openQwen3 = async (backend: Backend): Promise<SourceModel> => {
  const parts = tokenizerParts([["Ġ", "o"]])
  const path = join(files.directory, "qwen3")
  mkdirSync(path)
  const config = {
    ps_version: "v1",
    select_layer: -2,
    vision_config: {
      hidden_size: 32,
      image_size: 84,
      patch_size: 14,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      intermediate_size: 64
    },
    llm_config: {
      model_type: "qwen3",
      hidden_size: 32,
      head_dim: 16,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      intermediate_size: 64,
      tie_word_embeddings: true,
      vocab_size: parts.vocabulary.size + parts.addedTokens.length,
      max_position_embeddings: 700
    }
  }
  const { mean, std } = imagenetStatistics
  writeFileSync(join(path, "config.json"), JSON.stringify(config))
  writeFileSync(join(path, "preprocessor_config.json"), JSON.stringify({ image_mean: mean, image_std: std }))
  await Effect.runPromise(writeTokenizer(path, parts))
  const directory = await Effect.runPromise(openModelDirectory(path))
  const drawn = randomWeights(backend, directory.config, { seed: 5, spread: "fan-in", layerScale: 1 })
  // Norms of ones and biases of zeros would hide which is which.
  const random = Random.make(5, "vectors")
  const weights = Object.fromEntries(
    Object.entries(drawn).map(([name, weight]) => {
      if (weight.shape.length > 1) return [name, weight]
      weight.release()
      const values = Float32Array.from({ length: weight.size }, () => 0.5 + random.nextUniform())
      return [name, tensor(backend, values, weight.shape)]
    })
  )
  return { directory, weights, stored: new Map() }
}

const variants: readonly (readonly [string, Variant])[] = [
  ["2 bits", { source: openSource, choices: (config) => everywhere(config, () => twoBits) }],
  ["not quantized", { source: openSource, choices: () => new Map() }],
  // As a model of more than 2 GiB has them.
  [
    "weights in files beside the graphs",
    { source: openSource, choices: (config) => everywhere(config, () => twoBits), with: { fileBytes: 40_000 } }
  ],
  ...shippedModels.map(
    (shipped) =>
      [
        `${shipped.name} of 4 bits`,
        {
          source: (backend) => openSource(backend, shipped.directory),
          choices: (config) => everywhere(config, (layer) => (towerOf(layer) === "vision" ? symmetric : fourBits)),
          shipped
        }
      ] satisfies readonly [string, Variant]
  ),
  ["Qwen3 of 2 bits", { source: openQwen3, choices: (config) => everywhere(config, () => twoBits) }]
]

/** `bound` where numbers are at most 15, and in proportion where they are larger: visual tokens of micro reach 48, its logits 27. */
const boundOf = (expected: ArrayLike<number>, bound: number): number =>
  bound * Math.max(1, ...Array.from(expected, (value) => Math.abs(value) / 15))

for (const [name, variant] of variants) {
  const fault = runtimeFault ?? variant.shipped?.missing
  describe.skipIf(fault !== undefined)(`transformers.js, ${name}${fault === undefined ? "" : `: ${fault}`}`, () => {
    let backend: Backend
    let source: SourceModel
    let deployed: DeployedModel
    let loaded: Loaded
    let ours: AnsweringModel
    const tilesOf = async (file: Uint8Array): Promise<Tiles> =>
      imageTiles(await Effect.runPromise(decodeImage(file)), source.directory.image)

    beforeAll(async () => {
      // The order of sums of a BLAS is its own; this one is the same on every machine.
      backend = await openBackend("native:none")
      source = await variant.source(backend)
      deployed = await deploy(source, variant.choices(source.directory.config))
      const out = join(files.directory, name)
      const { exact, layersFallenBack } = await exportTo(out, "onnx", source, deployed, variant.with)
      assert.isTrue(exact)
      assert.isEmpty(layersFallenBack)
      loaded = await openInTransformers(out)
      const { packed, others } = deployed
      ours = {
        backend,
        directory: source.directory,
        weights: packed.size === 0 ? weightsFrom(others) : packedWeights(packed, others)
      }
    })
    afterAll(async () => {
      await loaded.close()
      deployed.release()
      releaseParameters(source.weights)
      assert.strictEqual(backend.usage().buffers, 0)
      await backend.close()
    })

    it("reads the same prompt, sees and computes the same", async () => {
      const expected = await compute(ours, await tilesOf(picture), question)
      const asked = await loaded.ask(picture, question)
      assert.deepStrictEqual(asked.ids, [...expected.ids])
      assert.lengthOf(asked.pixels, expected.pixels.length)
      assert.isAtMost(largestDifference(expected.pixels, asked.pixels), 1e-6)
      assert.isAtMost(
        largestDifference(expected.visual, await loaded.see(expected.pixels, 1)),
        boundOf(expected.visual, 1e-5)
      )
      assert.lengthOf(asked.logits, expected.logits.length)
      assert.isAtMost(largestDifference(expected.logits, asked.logits), boundOf(expected.logits, 2e-5))
    })

    it("answers as ours does, from a cache of keys and values", async () => {
      const expected = await answerTo(ours, await tilesOf(picture), question, 12)
      assert.strictEqual(await loaded.answer(picture, question, 12), expected)
    })

    it("takes several tiles of a picture", async () => {
      const [width, height] = [200, 120]
      const wide: RgbImage = {
        width,
        height,
        data: Uint8Array.from({ length: 3 * width * height }, (_, at) => (at * at) % 251)
      }
      const tiles = imageTiles(wide, source.directory.image)
      assert.isAbove(tiles.count, 5)
      const expected = await compute(ours, tiles, question)
      assert.isAtMost(
        largestDifference(expected.visual, await loaded.see(expected.pixels, tiles.count)),
        boundOf(expected.visual, 1e-5)
      )
      const logits = await loaded.logits(expected.pixels, tiles.count, expected.ids)
      assert.isAtMost(largestDifference(expected.logits, logits), boundOf(expected.logits, 2e-5))
      const answer = await loaded.answerTiles(expected.pixels, tiles.count, expected.ids, 8)
      assert.strictEqual(answer, await answerTo(ours, tiles, question, 8))
    })

    it.runIf(variant.shipped !== undefined)("answers questions of every kind as ours does", async () => {
      const asked = await variant.shipped!.questions()
      assert.isAtLeast(asked.length, 22)
      for (const { kind, question, picture } of asked) {
        const tiles = await tilesOf(picture)
        const expected = await answerTo(ours, tiles, question, 16)
        assert.strictEqual(await loaded.answer(picture, question, 16), expected, kind)
        const first = firstToken((await compute(ours, tiles, question)).logits, source.directory.config)
        const theirs = firstToken((await loaded.ask(picture, question)).logits, source.directory.config)
        assert.strictEqual(theirs.id, first.id, kind)
        assert.closeTo(theirs.probability, first.probability, 1e-4, kind)
      }
    })
  })
}
