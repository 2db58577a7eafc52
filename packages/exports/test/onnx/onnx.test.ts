/** What an export for transformers.js has beside its graphs, and what it refuses. */
import { cpSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { bilevel, n2f3, type QuantizerChoice, uniform } from "@speedq/quantizers"
import { openBackend } from "@speedq/tensors"
import { randomWeights } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { decodeExport, releaseParameters, type SourceModel, verifyExport, writeExport } from "../../src/index.ts"
import { deploy, exportTo, nano, openSource, temporary } from "../support/models.ts"

const files = temporary("onnx")
const backend = await openBackend("reference")
let source: SourceModel
beforeAll(async () => {
  source = await openSource(backend)
})
afterAll(async () => {
  releaseParameters(source.weights)
  assert.strictEqual(backend.usage().buffers, 0)
  await backend.close()
  files.remove()
})

const attention = "language_model.model.layers.0.self_attn"
const json = (directory: string, name: string) => JSON.parse(readFileSync(join(directory, name), "utf8"))

describe("onnx", () => {
  it("is a directory that names itself to transformers.js", async () => {
    const nearest = new Map<string, QuantizerChoice>([
      [`${attention}.q_proj`, bilevel({ bits: 2, group: 16, scaleGroup: 16 })],
      [`${attention}.o_proj`, uniform({ bits: 4, group: 32 })]
    ])
    const deployed = await deploy(source, nearest)
    const out = join(files.directory, "two")
    await exportTo(out, "onnx", source, deployed)
    assert.sameMembers(readdirSync(out, { recursive: true }) as string[], [
      ...[
        "added_tokens.json",
        "config.json",
        "generation_config.json",
        "merges.txt",
        "onnx",
        "preprocessor_config.json"
      ],
      ...["processor_config.json", "quantization.json", "special_tokens_map.json", "tokenizer.json"],
      ...["tokenizer_config.json", "vocab.json"],
      ...["decoder_model_merged", "embed_tokens", "vision_encoder"].map((name) => `onnx/${name}_q2.onnx`)
    ])
    const { "transformers.js_config": own, image_token_index, model_type, text_config } = json(out, "config.json")
    assert.deepStrictEqual(own, { dtype: "q2" })
    assert.deepStrictEqual([model_type, text_config.model_type], ["llava", "qwen2"])
    assert.strictEqual(image_token_index, source.directory.tokens.imageContext)
    const { messageEnd, endOfText } = source.directory.tokens
    assert.deepStrictEqual(json(out, "generation_config.json").eos_token_id, [messageEnd, endOfText])
    assert.strictEqual(json(out, "processor_config.json").patch_size, 28)
    assert.include(json(out, "tokenizer_config.json").chat_template, "<img><IMG_CONTEXT></img>\\n")
    await Effect.runPromise(verifyExport(out))
    deployed.release()
  })

  it("says which layers it holds dequantized, and what f16 costs them", async () => {
    const deployed = await deploy(source, new Map([[`${attention}.q_proj`, n2f3({ group: 64 })]]))
    const written = (dtype: string) =>
      writeExport(decodeExport({ format: "onnx", with: { dtype } }), {
        source,
        deployed,
        directory: join(files.directory, dtype),
        recipe: "test"
      }).pipe(Effect.provide(NodeServices.layer), Effect.runPromise)
    const { exported: whole } = await written("f32")
    assert.deepStrictEqual([whole.exact, whole.layersFallenBack], [true, [`${attention}.q_proj`]])
    const { exported: half } = await written("f16")
    assert.isFalse(half.exact)
    assert.isAbove(half.relErr, 2 ** -14)
    assert.isBelow(half.relErr, 2 ** -11)
    assert.isBelow(half.bytes, 0.6 * whole.bytes)
    // Nothing has codes, so the names of graphs have no ending.
    assert.include(readdirSync(join(files.directory, "f16", "onnx")), "embed_tokens.onnx")
    deployed.release()
  })

  it("names the files of weights beside graphs, and refuses more of them than transformers.js reads", async () => {
    const deployed = await deploy(source)
    const out = join(files.directory, "beside")
    const { bytes } = await exportTo(out, "onnx", source, deployed, { fileBytes: 400_000 })
    const { use_external_data_format: beside } = json(out, "config.json")["transformers.js_config"]
    const names = readdirSync(join(out, "onnx"))
    const dataOf = (graph: string) => names.filter((name) => name.startsWith(`${graph}_data`)).length
    const graphs = ["decoder_model_merged.onnx", "embed_tokens.onnx", "vision_encoder.onnx"]
    assert.deepStrictEqual(
      Object.fromEntries(graphs.flatMap((graph) => (dataOf(graph) === 0 ? [] : [[graph, dataOf(graph)]]))),
      beside
    )
    assert.isAbove(beside["decoder_model_merged.onnx"], 1)
    for (const name of names) assert.isAtMost(statSync(join(out, "onnx", name)).size, 400_000)
    assert.strictEqual(bytes, (await exportTo(join(files.directory, "whole"), "onnx", source, deployed)).bytes)
    await Effect.runPromise(verifyExport(out))
    deployed.release()
    // Every weight has a file of its own.
    const { config } = source.directory
    const deep = { ...config, llm_config: { ...config.llm_config, num_hidden_layers: 10 } }
    const random = randomWeights(backend, deep, { seed: 3, spread: "fan-in", layerScale: 1 })
    const model = { ...source, directory: { ...source.directory, config: deep }, weights: random }
    const many = await deploy(model)
    const tiny = join(files.directory, "tiny")
    const refused = await exportTo(tiny, "onnx", model, many, { fileBytes: 4096 }).then(
      () => assert.fail("it was written"),
      (error: Error) => error.message
    )
    assert.match(
      refused,
      /its weights would be in \d+ files of at most 4096 bytes, and transformers.js reads 100; set a larger "fileBytes"/
    )
    assert.isEmpty(readdirSync(tiny))
    many.release()
    releaseParameters(random)
  })

  it("refuses models that transformers.js has no tokenizer for", async () => {
    const deployed = await deploy(source)
    const refused = async (directory: SourceModel["directory"]) => {
      const attempt = writeExport(decodeExport({ format: "onnx" }), {
        source: { ...source, directory },
        deployed,
        directory: join(files.directory, "refused"),
        recipe: "test"
      })
      const error = await attempt.pipe(Effect.flip, Effect.provide(NodeServices.layer), Effect.runPromise)
      assert.strictEqual(error._tag, "ExportNotWritten")
      return error.message
    }
    const { config } = source.directory
    const internlm2 = { ...config, llm_config: { ...config.llm_config, model_type: "internlm2" as const } }
    assert.include(await refused({ ...source.directory, config: internlm2 }), "cannot read the tokenizer of InternLM2")
    const bare = join(files.directory, "bare")
    cpSync(nano, bare, { recursive: true })
    rmSync(join(bare, "tokenizer.json"))
    assert.include(
      await refused({ ...source.directory, directory: bare }),
      `reads tokenizer.json, and ${bare} has none`
    )
    deployed.release()
  })
})
