/** The export "gguf": its container, what it calls tensors and tokens, which types it takes, and what it refuses. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { bilevel, embeddingSym4, none, type QuantizerChoice, uniform } from "@speedq/quantizers"
import { makeReferenceBackend, type Shape, tensor } from "@speedq/tensors"
import { type ModelConfig, type ModelDirectory, modelTensors, readModelConfig, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { F32 } from "../src/gguf/blocks/floats.ts"
import { Q8_0 } from "../src/gguf/blocks/Q8_0.ts"
import { chooseFallback, chooseType, type Fallback, holdingOf } from "../src/gguf/chooseType.ts"
import { ggufNames } from "../src/gguf/ggufNames.ts"
import { bool, f32, f32s, i32s, string, strings, u32 } from "../src/gguf/metadata.ts"
import { ggufTensors } from "../src/gguf/tensors.ts"
import { textMetadata } from "../src/gguf/textMetadata.ts"
import { tokenizerMetadata } from "../src/gguf/tokenizerMetadata.ts"
import { visionMetadata } from "../src/gguf/visionMetadata.ts"
import { writeGguf } from "../src/gguf/writeGguf.ts"
import { decodeExport, type SourceModel } from "../src/index.ts"
import fixture from "./fixtures/gguf-0.19.json" with { type: "json" }
import { deploy, exportTo, nano, openSource, temporary } from "./support/models.ts"

const { directory: root, remove } = temporary("gguf")
const backend = makeReferenceBackend()

let source: SourceModel
let directory: ModelDirectory
beforeAll(async () => {
  source = await openSource(backend)
  directory = source.directory
})
afterAll(remove)

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "base64"))

describe("the container", () => {
  it("has the bytes that the package gguf writes", async () => {
    const file = join(root, "small.gguf")
    const block = bytesOf(fixture.Q8_0.bytes).subarray(0, 34)
    const numbers = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer)
    const metadata = {
      "general.architecture": string("test"),
      count: u32(7),
      eps: f32(1e-6),
      yes: bool(true),
      name: string("书"),
      texts: strings(["a", "bc"]),
      kinds: i32s([1, -2]),
      means: f32s([0.5, 0.25])
    }
    const tensors = [
      {
        name: "a.weight",
        type: F32,
        shape: [2, 3],
        data: Effect.succeed([numbers.subarray(0, 4), numbers.subarray(4)])
      },
      { name: "b.weight", type: Q8_0, shape: [1, 32], data: Effect.succeed(block) }
    ]
    const { bytes } = await Effect.runPromise(writeGguf(file, metadata, tensors))
    const written = new Uint8Array(readFileSync(file))
    assert.strictEqual(bytes, written.length)
    assert.deepStrictEqual(written, bytesOf(fixture.file))
  })

  it("is not written of a tensor that gives other bytes than its type and shape take", async () => {
    const file = join(root, "short.gguf")
    const tensors = [{ name: "a", type: F32, shape: [2], data: Effect.succeed(new Uint8Array(4)) }]
    const outcome = await Effect.runPromise(Effect.exit(writeGguf(file, {}, tensors)))
    assert.match(JSON.stringify(outcome.toString()), /a: 4 bytes, its type and shape take 8/)
    assert.notInclude(readdirSync(root), "short.gguf")
  })
})

const qwen3 = (config: ModelConfig): ModelConfig => ({
  ...config,
  llm_config: { ...config.llm_config, model_type: "qwen3", head_dim: 32, tie_word_embeddings: true }
})

const block = "(attn_norm|ffn_norm|attn_(q|k|v|output|q_norm|k_norm)|ffn_(gate|up|down))"
const visionBlock = "(attn_(q|k|v|out)|ffn_(up|down)|ln[12]|ls[12])"
const known = {
  text: new RegExp(`^((token_embd|output|output_norm|blk\\.\\d+\\.${block})\\.weight|blk\\.\\d+\\.attn_[qkv]\\.bias)$`),
  vision: new RegExp(
    `^(v\\.class_embd|v\\.position_embd\\.weight|(v\\.patch_embd|mm\\.model\\.mlp\\.[013]|v\\.blk\\.\\d+\\.${visionBlock})\\.(weight|bias))$`
  )
}

describe("names", () => {
  it("are llama.cpp's for every parameter, and differ", () => {
    const config = readModelConfig(nano)
    for (const each of [config, qwen3(config)]) {
      const parameters = [...modelTensors(each).keys()]
      const names = parameters.flatMap((parameter) =>
        ggufNames(parameter).map((name) => [name, towerOf(parameter) === "language" ? "text" : "vision"] as const)
      )
      for (const [name, file] of names) assert.match(name, known[file])
      assert.strictEqual(new Set(names.map(([name]) => name)).size, names.length)
      assert.strictEqual(names.length, parameters.length + 2 * 2 * each.vision_config.num_hidden_layers)
    }
  })

  it("of a model whose embedding is its head leave the head out", () => {
    const names = [...modelTensors(qwen3(readModelConfig(nano))).keys()].flatMap(ggufNames)
    assert.notInclude(names, "output.weight")
    assert.includeMembers(names, ["token_embd.weight", "blk.4.attn_q_norm.weight"])
  })
})

describe("metadata", () => {
  it("has the tokens by id, what they are, the merges and the template", () => {
    const parts = directory.tokenizer.parts()!
    const keys = tokenizerMetadata(directory, parts)
    const { values: texts } = keys["tokenizer.ggml.tokens"] as { readonly values: readonly string[] }
    const { values: kinds } = keys["tokenizer.ggml.token_type"] as { readonly values: readonly number[] }
    const { imageStart, messageEnd, endOfText } = directory.tokens
    assert.lengthOf(texts, 859)
    assert.lengthOf(kinds, 859)
    assert.strictEqual(texts[parts.vocabulary.get("Ġred")!], "Ġred")
    assert.deepStrictEqual([texts[imageStart], kinds[imageStart]], ["<img>", 3])
    const call = directory.tokenizer.tokenId("<tool_call>")!
    assert.deepStrictEqual([texts[call], kinds[call]], ["<tool_call>", 4])
    assert.deepStrictEqual(keys["tokenizer.ggml.merges"], strings(parts.merges.map((pair) => pair.join(" "))))
    assert.deepStrictEqual(keys["tokenizer.ggml.eos_token_id"], u32(messageEnd))
    assert.deepStrictEqual(keys["tokenizer.ggml.bos_token_id"], u32(endOfText))
    assert.include(JSON.stringify(keys["tokenizer.chat_template"]), "你是书生·万象")
  })

  it("gives rows of the embedding that no token has a text of their own", () => {
    const wider = {
      ...directory,
      config: { ...directory.config, llm_config: { ...directory.config.llm_config, vocab_size: 861 } }
    }
    const keys = tokenizerMetadata(wider, directory.tokenizer.parts()!)
    const { values: texts } = keys["tokenizer.ggml.tokens"] as { readonly values: readonly string[] }
    const { values: kinds } = keys["tokenizer.ggml.token_type"] as { readonly values: readonly number[] }
    assert.deepStrictEqual(texts.slice(859), ["[PAD859]", "[PAD860]"])
    assert.deepStrictEqual(kinds.slice(859), [5, 5])
  })

  it("is that of the decoder's family and of the blocks that are used", () => {
    const text = textMetadata(qwen3(directory.config))
    assert.deepStrictEqual(text["general.architecture"], string("qwen3"))
    assert.deepStrictEqual(text["qwen3.attention.key_length"], u32(32))
    const config = { ...directory.config, select_layer: -2 }
    assert.deepStrictEqual(visionMetadata({ ...directory, config })["clip.vision.block_count"], u32(2))
    const still = { ...directory, image: { ...directory.image, dynamic: false } }
    assert.deepStrictEqual(visionMetadata(still)["clip.vision.preproc_max_tiles"], u32(1))
    assert.deepStrictEqual(visionMetadata(directory)["clip.vision.preproc_max_tiles"], u32(12))
  })
})

describe("the type of a weight", () => {
  const wide: Shape = [16, 256]
  const narrow: Shape = [16, 64]
  const twoBits = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
  it.each([
    ["Q4_0", "codes", embeddingSym4(), narrow],
    ["Q4_0", "codes", uniform({ bits: 4, group: 32, symmetric: true }), narrow],
    ["Q4_0", "codes", uniform({ bits: 2, group: 32, symmetric: true }), narrow],
    ["Q2_0", "codes", uniform({ bits: 2, group: 64, symmetric: true }), narrow],
    ["Q4_1", "codes", bilevel({ bits: 4, group: 32, scaleGroup: 16 }), narrow],
    ["Q4_1", "codes", uniform({ bits: 2, group: 64 }), narrow],
    ["BF16", "numbers", none, narrow],
    ["Q8_0", "nothing", bilevel({ bits: 4, group: 16, scaleGroup: 16 }), narrow],
    ["Q8_0", "nothing", uniform({ bits: 8, group: 32, symmetric: true }), narrow],
    ["Q8_0", "nothing", twoBits, wide]
  ] as const)("is %s, which keeps its %s", (type, keeps, choice, shape) => {
    const chosen = chooseType({ choice, shape }, "Q8_0")
    assert.deepStrictEqual([chosen.type.name, chosen.keeps], [type, keeps])
  })

  it("whose grid no type has is the one that is chosen, where that fits", () => {
    const typeOf = (fallback: Fallback, shape: Shape) => chooseType({ choice: twoBits, shape }, fallback).type.name
    assert.strictEqual(typeOf("Q3_K", wide), "Q3_K")
    assert.strictEqual(typeOf("Q3_K", narrow), "Q8_0")
    const chosen = (...shapes: readonly Shape[]) =>
      chooseFallback(
        "auto",
        shapes.map((shape) => ({ choice: twoBits, shape }))
      )
    assert.strictEqual(chosen(wide, wide), "Q3_K")
    assert.strictEqual(chosen(wide, narrow), "Q8_0")
    assert.strictEqual(chosen(), "Q8_0")
    assert.strictEqual(chooseFallback("F16", [{ choice: twoBits, shape: wide }]), "F16")
    assert.strictEqual(typeOf("Q8_0", [16, 48]), "F16")
    assert.strictEqual(typeOf("F16", wide), "F16")
  })

  it("says how far weights may be", () => {
    const relErr = (choice: QuantizerChoice) => holdingOf({ choice, shape: wide }, "F16").relErr
    const symmetric = { bits: 4, group: 32, symmetric: true } as const
    assert.strictEqual(relErr(uniform(symmetric)), 0)
    assert.strictEqual(relErr(uniform({ ...symmetric, scale: "f32" })), 2 ** -11)
    assert.isUndefined(relErr(uniform({ bits: 4, group: 32 })))
    assert.strictEqual(relErr(twoBits), 2 ** -11)
    assert.strictEqual(relErr(none), 0)
  })
})

describe("the export", () => {
  const layer = "language_model.model.layers.0.mlp.down_proj"
  const written = async (name: string, choice: QuantizerChoice, model: SourceModel = source) => {
    const deployed = await deploy(model, new Map([[layer, choice]]), "bf16")
    return exportTo(join(root, name), "gguf", model, deployed)
  }

  it("has its two files beside its description, and says how far numbers are and what fell back", async () => {
    const exported = await written("two", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))
    assert.deepStrictEqual(readdirSync(join(root, "two")).sort(), ["mmproj.gguf", "model.gguf", "quantization.json"])
    assert.deepStrictEqual(exported.layersFallenBack, [layer])
    assert.isAbove(exported.relErr, 1e-3)
    assert.isBelow(exported.relErr, 1e-2)
    const sizes = ["model.gguf", "mmproj.gguf"].map((name) => statSync(join(root, "two", name)).size)
    assert.strictEqual(exported.directoryBytes, sizes[0]! + sizes[1]!)
    assert.isBelow(exported.bytes, exported.directoryBytes)
  })

  it("is exact of codes that a type holds, and of a layer that is left alone", async () => {
    for (const choice of [uniform({ bits: 4, group: 32, symmetric: true }), none]) {
      const exported = await written(`exact-${choice.quantizer.id}`, choice)
      assert.deepStrictEqual([exported.exact, exported.layersFallenBack], [true, []])
    }
  })

  it("names layers that were given as numbers on no grid", async () => {
    const deployed = await deploy(source)
    const given = { ...deployed, fixed: new Set([`${layer}.weight`]) }
    const { exact, layersFallenBack } = await exportTo(join(root, "given"), "gguf", source, given)
    assert.deepStrictEqual([exact, layersFallenBack], [true, [layer]])
    deployed.release()
  })

  it("moves the first row of the positions behind the others, unless it is told not to", async () => {
    const deployed = await deploy(source)
    const positions = async (rollPositions: boolean): Promise<Float32Array> => {
      const { vision } = ggufTensors({ source, deployed, directory: root }, { fallback: "Q8_0", rollPositions })
      const { shape, data } = vision.find(({ name }) => name === "v.position_embd.weight")!
      assert.deepStrictEqual(shape, [37, 64])
      const pieces: Uint8Array[] = []
      for await (const piece of (await Effect.runPromise(data)) as AsyncIterable<Uint8Array>) pieces.push(piece.slice())
      return new Float32Array(Uint8Array.from(Buffer.concat(pieces)).buffer)
    }
    const [rolled, plain] = [await positions(true), await positions(false)]
    assert.deepStrictEqual([...rolled], [...plain.subarray(64), ...plain.subarray(0, 64)])
    deployed.release()
  })

  it("leaves out blocks that are not used", async () => {
    const model = { ...source, directory: { ...directory, config: { ...directory.config, select_layer: -2 } } }
    const deployed = await deploy(model)
    const { vision } = ggufTensors(
      { source: model, deployed, directory: root },
      { fallback: "Q8_0", rollPositions: true }
    )
    const blocks = new Set(vision.flatMap(({ name }) => /^v\.blk\.(\d+)/.exec(name)?.[1] ?? []))
    assert.deepStrictEqual([...blocks], ["0", "1"])
    deployed.release()
  })

  it("refuses what llama.cpp computes otherwise, and says what to do", async () => {
    const { config } = directory
    const deployed = await deploy(source)
    const refusal = (changed: Partial<ModelDirectory>) =>
      exportTo(join(root, "refused"), "gguf", { ...source, directory: { ...directory, ...changed } }, deployed).then(
        () => assert.fail("it was written"),
        (error: Error) => error.message
      )
    const internlm2 = { ...config, llm_config: { ...config.llm_config, model_type: "internlm2" as const } }
    assert.match(await refusal({ config: internlm2 }), /decoders of Qwen2 and Qwen3 .* InternLM2; choose fake-quant/)
    assert.match(await refusal({ config: { ...config, ps_version: "v1" } }), /pixel shuffle of ps_version "v2" alone/)
    assert.match(await refusal({ config: { ...config, pad2square: true } }), /does not pad pictures to squares/)
    assert.notInclude(readdirSync(root), "refused")
    deployed.release()
  })

  it("refuses numbers that no type holds", async () => {
    const weights = {
      ...source.weights,
      [`${layer}.weight`]: tensor(
        backend,
        Float32Array.from({ length: 64 * 128 }, (_, at) => 1e8 * (-1) ** at),
        [64, 128]
      )
    }
    const huge = written("huge", uniform({ bits: 4, group: 16, scale: "f32" }), { ...source, weights })
    const message = await huge.then(
      () => assert.fail("it was written"),
      (error: Error) => error.message
    )
    assert.match(message, /down_proj\.weight has numbers that its type of GGUF does not hold; check the checkpoint/)
  })

  it("has a directory of its own for each of its options", () => {
    const nameOf = (options: object) => {
      const { exporter, config } = decodeExport({ format: "gguf", with: options })
      return exporter.directoryName(config)
    }
    assert.strictEqual(nameOf({}), "gguf")
    assert.strictEqual(nameOf({ fallback: "Q8_0", rollPositions: false }), "gguf-q8_0-unrolled")
  })

  it("takes no more bytes than it forecasts", async () => {
    const { exporter, config } = decodeExport({ format: "gguf" })
    const exported = await written("whole", none)
    const facts = { parameters: 457_664, checkpointBytes: 1_843_496 }
    assert.isAtMost(exported.directoryBytes, exporter.bytes(config, facts))
  })
})
