/** The layouts of transformers and of the hub's original models: what transformers saves itself, and there and back without a changed bit. */
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Safetensors } from "@speedq/formats"
import { openBackend } from "@speedq/tensors"
import { modelTensors, readModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { releaseParameters } from "../src/index.ts"
import fixture from "./fixtures/transformers-nano.json" with { type: "json" }
import { deploy, exportTo, nano, openSource, temporary } from "./support/models.ts"

const { directory: root, remove } = temporary("layouts")
const backend = await openBackend("reference")

/** Writes the model of a directory in a format. */
const written = async (from: string, format: string, name: string, dtype: "bf16" | "f32" = "f32") => {
  const source = await openSource(backend, from)
  const deployed = await deploy(source, new Map(), "bf16")
  const directory = join(root, name)
  const exported = await exportTo(directory, format, source, deployed, { dtype })
  deployed.release()
  releaseParameters(source.weights)
  return { directory, exported }
}

const tensorsOf = (directory: string) =>
  Effect.gen(function* () {
    const { store } = yield* Safetensors.openModel(directory)
    return new Map(
      [...store.tensors].map(([name, { shape }]) => [
        name,
        { shape, sha256: createHash("sha256").update(store.read(name)).digest("hex") }
      ])
    )
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.runPromise)

const json = (directory: string, name: string) => JSON.parse(readFileSync(join(directory, name), "utf8"))

let hf: Awaited<ReturnType<typeof written>>
let original: Awaited<ReturnType<typeof written>>

beforeAll(async () => {
  hf = await written(nano, "hf", "hf")
  original = await written(hf.directory, "original", "original")
})
afterAll(async () => {
  assert.strictEqual(backend.usage().buffers, 0)
  await backend.close()
  remove()
})

describe("hf", () => {
  it("has the names and shapes that transformers gives to the tensors of such a model", async () => {
    const shapes = [...(await tensorsOf(hf.directory))].map(([name, { shape }]) => [name, shape])
    assert.deepStrictEqual(Object.fromEntries(shapes), fixture.shapes)
  })

  it("has its config.json, key by key", () => {
    const { transformers_version: _, dtype: _own, ...expected } = fixture.config
    assert.deepStrictEqual(json(hf.directory, "config.json"), { ...expected, dtype: "float32" })
  })

  it("says that queries, keys and values have biases, which are left out in silence otherwise", async () => {
    assert.isTrue(json(hf.directory, "config.json").vision_config.attention_bias)
    const biases = [...(await tensorsOf(hf.directory)).keys()].filter((name) =>
      /attention\.[qkv]_proj\.bias$/.test(name)
    )
    assert.lengthOf(biases, 3 * 3)
  })

  it("names the marks of pictures that its processor looks for, and prepares pictures as the model does", () => {
    const tokenizer = json(hf.directory, "tokenizer_config.json")
    assert.strictEqual(tokenizer.context_image_token, "<IMG_CONTEXT>")
    assert.notProperty(tokenizer, "chat_template")
    const { image_processor, image_seq_length } = json(hf.directory, "processor_config.json")
    assert.strictEqual(image_seq_length, 9)
    assert.deepStrictEqual(image_processor, json(hf.directory, "preprocessor_config.json"))
    assert.deepStrictEqual(
      [image_processor.image_mean, image_processor.size],
      [[0.85, 0.85, 0.85], { height: 84, width: 84 }]
    )
    assert.include(readFileSync(join(hf.directory, "chat_template.jinja"), "utf8"), "你是书生·万象")
  })

  it("is read back as the same model", async () => {
    assert.isTrue(hf.exported.exact)
    const [before, after] = [readModelConfig(nano), readModelConfig(hf.directory)]
    assert.deepStrictEqual([...modelTensors(after)], [...modelTensors(before)])
    const again = await written(hf.directory, "hf", "again")
    assert.deepStrictEqual(await tensorsOf(again.directory), await tensorsOf(hf.directory))
  })

  it("in bf16 names that type, and says how far numbers are", async () => {
    const { directory, exported } = await written(nano, "hf", "short", "bf16")
    assert.strictEqual(json(directory, "config.json").dtype, "bfloat16")
    assert.isFalse(exported.exact)
    assert.isAbove(exported.relErr, 1e-4)
    assert.isBelow(exported.relErr, 2 ** -8)
  })
})

describe("original", () => {
  it("from the layout of transformers has the tensors of the checkpoint that the run started from, bit for bit", async () => {
    assert.deepStrictEqual(await tensorsOf(original.directory), await tensorsOf(nano))
  })

  it("has a config that is read as the first one was", () => {
    const { llm_config, vision_config, ...config } = readModelConfig(original.directory)
    const { llm_config: language, vision_config: vision, ...first } = readModelConfig(nano)
    assert.deepStrictEqual({ ...config }, { ...first })
    assert.deepStrictEqual(vision_config, vision)
    assert.strictEqual(llm_config.rope_theta, language.rope_theta)
    assert.deepStrictEqual(
      [...modelTensors(readModelConfig(original.directory))],
      [...modelTensors(readModelConfig(nano))]
    )
  })

  it("leaves out what belongs to the other layout", () => {
    for (const name of ["processor_config.json", "chat_template.jinja"]) {
      assert.isFalse(existsSync(join(original.directory, name)), name)
    }
    assert.includeMembers(readdirSync(original.directory), [
      "tokenizer.json",
      "vocab.json",
      "merges.txt",
      "quantization.json"
    ])
  })
})
