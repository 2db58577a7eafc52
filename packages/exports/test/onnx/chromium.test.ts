/**
 * An export in a page of chromium, as its user's browser computes it, by WebAssembly. `ONNX_WEBGPU=1` also computes by WebGPU, on the
 * processor where there is nothing better: that takes a minute on a busy machine.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { bilevel, embeddingSym4, type QuantizerChoice } from "@speedq/quantizers"
import { openBackend } from "@speedq/tensors"
import { decodeImage, embeddingAndHead, imageTiles, linearLayers } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { openPage, type Page } from "../../../pipeline/test/support/browser.ts"
import { chromium, installCommand } from "../../../pipeline/test/support/chromium.ts"
import {
  type DeployedModel,
  largestDifference,
  packedWeights,
  releaseParameters,
  type SourceModel
} from "../../src/index.ts"
import { serve } from "../support/fileServer.ts"
import { deploy, exportTo, openSource, temporary } from "../support/models.ts"
import { answerTo, compute } from "../support/ours.ts"

const root = new URL("../../../../", import.meta.url).pathname
const picture = readFileSync(join(root, "data/nano/images/0001.png"))
const question = "Is there a yellow object?"

interface Found {
  readonly ids: readonly number[]
  readonly logits: readonly number[]
  readonly answer: string
}

/** WebGPU without a graphics processor. */
const softwareGpu = [
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-webgpu-adapter=swiftshader",
  "--use-vulkan=swiftshader"
]

/** What the page runs; attention goes wrong with subgroups on that adapter, so they are kept from the library. */
const asking = (device: "wasm" | "webgpu", tokens: number) => `(async () => {
  const { get } = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "features")
  const features = { get() { return new Set([...get.call(this)].filter((name) => !name.startsWith("subgroup"))) } }
  Object.defineProperty(GPUAdapter.prototype, "features", { configurable: true, ...features })
  const { AutoModelForImageTextToText, AutoProcessor, env, RawImage } =
    await import("/modules/@huggingface/transformers/dist/transformers.js")
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: "/models/", useBrowserCache: false, useWasmCache: false })
  env.backends.onnx.wasm.wasmPaths = location.origin + "/modules/onnxruntime-web/dist/"
  const processor = await AutoProcessor.from_pretrained("nano")
  const model = await AutoModelForImageTextToText.from_pretrained("nano", { device: "${device}" })
  const bytes = Uint8Array.from(atob("${picture.toString("base64")}"), (letter) => letter.charCodeAt(0))
  const content = [{ type: "image" }, { type: "text", text: ${JSON.stringify(question)} }]
  const text = processor.apply_chat_template([{ role: "user", content }], { add_generation_prompt: true })
  const inputs = await processor(await RawImage.fromBlob(new Blob([bytes])), text)
  const { logits } = await model(inputs)
  const generated = await model.generate({ ...inputs, max_new_tokens: ${tokens}, do_sample: false })
  const [answer] = processor.batch_decode(generated.slice(null, [inputs.input_ids.dims[1], null]), { skip_special_tokens: true })
  return { ids: Array.from(inputs.input_ids.data, Number), logits: Array.from(logits.data), answer }
})()`

describe.skipIf(chromium === undefined)(
  `in chromium${chromium === undefined ? `, which is not installed: ${installCommand}` : ""}`,
  () => {
    const files = temporary("onnx-chromium")
    const backend = openBackend("native")
    let source: SourceModel
    let deployed: DeployedModel
    let server: Awaited<ReturnType<typeof serve>>
    let page: Page

    beforeAll(async () => {
      source = await openSource(await backend)
      const { config } = source.directory
      const twoBits = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
      deployed = await deploy(
        source,
        new Map<string, QuantizerChoice>([
          // One Linear without codes.
          ...[...linearLayers(config).keys()]
            .filter((layer) => layer !== "mlp1.1")
            .map((layer) => [layer, twoBits] as const),
          ...embeddingAndHead(config.llm_config).map((layer) => [layer, embeddingSym4({ group: 32 })] as const)
        ])
      )
      await exportTo(join(files.directory, "nano"), "onnx", source, deployed)
      server = await serve({ models: files.directory, modules: join(root, "node_modules") })
      page = await openPage(server.url, { width: 800, scheme: "light" }, join(files.directory, "profile"), softwareGpu)
    })
    afterAll(async () => {
      await page.close()
      await server.close()
      deployed.release()
      releaseParameters(source.weights)
      await (await backend).close()
      files.remove()
    })

    const webgpu = process.env["ONNX_WEBGPU"] === "1" ? [["webgpu", 2, 4e-5] as const] : []
    it.each([["wasm", 8, 2e-5] as const, ...webgpu])("computes the same on %s", async (device, tokens, tolerance) => {
      const tiles = imageTiles(await Effect.runPromise(decodeImage(picture)), source.directory.image)
      const weights = packedWeights(deployed.packed, deployed.others)
      const ours = { backend: await backend, directory: source.directory, weights }
      const expected = await compute(ours, tiles, question)
      const evaluated = await page.call("Runtime.evaluate", {
        expression: asking(device, tokens),
        awaitPromise: true,
        returnByValue: true
      })
      assert.notProperty(evaluated, "exceptionDetails", JSON.stringify(evaluated["exceptionDetails"])?.slice(0, 2000))
      const { value } = evaluated["result"] as { readonly value: Found }
      assert.deepStrictEqual(value.ids, [...expected.ids])
      assert.lengthOf(value.logits, expected.logits.length)
      assert.isAtMost(largestDifference(expected.logits, value.logits), tolerance)
      assert.strictEqual(value.answer.trim(), await answerTo(ours, tiles, question, tokens))
    })
  }
)
