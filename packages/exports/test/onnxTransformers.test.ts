/** Exports for transformers.js, loaded there in Node: the same prompts, pixels, visual tokens, logits and answers as ours. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { bilevel, embeddingSym4, type QuantizerChoice, uniform } from "@speedq/quantizers"
import { openBackend } from "@speedq/tensors"
import {
  type AnsweringModel,
  decodeImage,
  embeddingAndHead,
  imageTiles,
  linearLayers,
  type ModelConfig,
  towerOf,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  type DeployedModel,
  type Exported,
  largestDifference,
  packedWeights,
  releaseParameters,
  type SourceModel
} from "../src/index.ts"
import { deploy, exportTo, openSource, temporary } from "./support/models.ts"
import { answerTo, compute } from "./support/ours.ts"
import { type Loaded, openInTransformers, transformersFault } from "./support/transformersJs.ts"

/** Quantizers of all Linears, of the embedding and of the head. */
const everywhere = (config: ModelConfig, choose: (layer: string) => QuantizerChoice) =>
  new Map([
    ...[...linearLayers(config).keys()].map((layer) => [layer, choose(layer)] as const),
    ...embeddingAndHead(config.llm_config).map((layer) => [layer, embeddingSym4({ group: 32 })] as const)
  ])

const twoBits = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
const fourBits = bilevel({ bits: 4, group: 32, scaleGroup: 16 })
const symmetric = uniform({ bits: 4, group: 32, symmetric: true })
const variants: readonly (readonly [string, (config: ModelConfig) => ReadonlyMap<string, QuantizerChoice>])[] = [
  ["2 bits", (config) => everywhere(config, () => twoBits)],
  ["4 bits", (config) => everywhere(config, (layer) => (towerOf(layer) === "vision" ? symmetric : fourBits))],
  ["not quantized", () => new Map()]
]

const data = new URL("../../../data/nano/", import.meta.url).pathname

/** One question of each kind, in both languages. */
const questions = (): readonly { readonly kind: string; readonly question: string; readonly picture: Uint8Array }[] => {
  const [header, ...rows] = ["short", "caption"].flatMap((name) =>
    readFileSync(join(data, "evaluation", `${name}.tsv`), "utf8").trimEnd().split("\n")
  )
  return []
}

describe.skipIf(transformersFault !== undefined)(
  `transformers.js${transformersFault === undefined ? "" : `: ${transformersFault}`}`,
  () => {
    const files = temporary("onnx")
    const picture = readFileSync(join(data, "images", "0001.png"))
    const question = "Is there a yellow object?"
    let source: SourceModel
    const backend = openBackend("native")

    beforeAll(async () => {
      source = await openSource(await backend)
    })
    afterAll(async () => {
      releaseParameters(source.weights)
      assert.strictEqual((await backend).usage().buffers, 0)
      await (await backend).close()
      files.remove()
    })

    describe.each(variants)("%s", (name, choices) => {
      let deployed: DeployedModel
      let exported: Exported
      let loaded: Loaded
      let ours: AnsweringModel

      beforeAll(async () => {
        const { directory } = source
        deployed = await deploy(source, choices(directory.config))
        const out = join(files.directory, name)
        exported = await exportTo(out, "onnx", source, deployed)
        loaded = await openInTransformers(out)
        const weights = deployed.packed.size === 0 ? weightsFrom(deployed.others) : packedWeights(deployed.packed, deployed.others)
        ours = { backend: await backend, directory, weights }
      })
      afterAll(async () => {
        await loaded.close()
        deployed.release()
      })

      it("reads the same prompt and pixels, sees and computes the same", async () => {
        console.log(exported)
        const tiles = imageTiles(await Effect.runPromise(decodeImage(picture)), source.directory.image)
        const expected = await compute(ours, tiles, question)
        const { ids, pixels, logits } = await loaded.ask(picture, question)
        assert.deepStrictEqual(ids, [...expected.ids])
        console.log(largestDifference(expected.pixels, pixels), largestDifference(expected.visual, await loaded.see(expected.pixels, 1)), largestDifference(expected.logits, logits), await answerTo(ours, tiles, question, 8), await loaded.answer(picture, question, 8))
      })
    })
  }
)
