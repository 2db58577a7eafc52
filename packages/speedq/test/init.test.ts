import { createHash } from "node:crypto"
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Safetensors, typedView } from "@speedq/formats"
import {
  type LanguageConfig,
  loadTokenizer,
  modelTensors,
  openModelDirectory,
  readModelConfig
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { writeByteTokenizer } from "../src/init/byteTokenizer.ts"
import { randomTensors } from "../src/init/randomTensors.ts"
import { shippedModels } from "../src/shipped/shipped.ts"
import { json, speedq } from "./support/inProcess.ts"
import { temporaryDirectory } from "./support/speedq.ts"

const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex")

describe("speedq init", () => {
  it("writes a whole model directory, the same for a seed", async () => {
    const directory = temporaryDirectory()
    const made = ["a", "b", "c"].map((name) => join(directory, name))
    const init = (out: string, seed: number) => ["init", "--config", "nano", "--seed", String(seed), "--out", out]
    const report = (await json(init(made[0]!, 5))) as { readonly files: { sha256: string; bytes: number }[] }
    assert.strictEqual((await speedq(init(made[1]!, 5))).code, 0)
    assert.strictEqual((await speedq(init(made[2]!, 6))).code, 0)

    const weights = made.map((out) => digest(join(out, "model.safetensors")))
    assert.strictEqual(report.files[0]!.sha256, weights[0])
    assert.strictEqual(weights[0], weights[1])
    assert.notStrictEqual(weights[0], weights[2])

    const model = await Effect.runPromise(openModelDirectory(made[0]!))
    const store = Safetensors.openModelSync(made[0]!)
    assert.deepStrictEqual(
      new Map([...store.tensors].map(([name, { shape }]) => [name, [...shape]])),
      new Map([...modelTensors(model.config)].map(([name, shape]) => [name, [...shape]]))
    )
    assert.isTrue([...store.tensors.values()].every(({ dtype }) => dtype === "BF16"))
    const norm = typedView("BF16", store.read("language_model.model.norm.weight"))
    assert.isTrue(
      norm.every((pattern) => pattern === 0x3f80),
      "norms start at 1"
    )
    store.close()
  })

  it("begins anew where an earlier one was killed", async () => {
    const out = temporaryDirectory()
    const staged = join(out, ".unfinished.99999999-0-0.tmp")
    mkdirSync(staged)
    writeFileSync(join(staged, "model.safetensors"), "half of it")
    assert.strictEqual((await speedq(["init", "--config", "nano", "--out", out])).code, 0)
    assert.includeMembers(readdirSync(out), ["config.json", "model.safetensors", "tokenizer.json"])
    assert.isTrue(readdirSync(out).every((name) => !name.startsWith(".")))
  })

  it("overwrites nothing", async () => {
    const out = temporaryDirectory()
    writeFileSync(join(out, "model.safetensors"), "precious")
    const { code, stderr } = await speedq(["init", "--config", "nano", "--out", out])
    assert.strictEqual(code, 1)
    assert.match(stderr, /is not empty \(it has model\.safetensors\); give a new or empty directory/)
    assert.deepStrictEqual(readdirSync(out), ["model.safetensors"])
  })
})

/** The tokenizer that a model of a kind gets. */
const byteTokenizer = (model_type: LanguageConfig["model_type"]) => {
  const directory = temporaryDirectory()
  return Effect.runPromise(Effect.andThen(writeByteTokenizer(directory, { model_type }), loadTokenizer(directory)))
}

describe("InternVL3-1B", () => {
  const directory = () => {
    const made = temporaryDirectory()
    copyFileSync(join(shippedModels, "internvl3-1b.json"), join(made, "config.json"))
    return made
  }

  it("streams every tensor in chunks of its size, spread as the released models were", async () => {
    const config = readModelConfig(directory())
    const options = { seed: 1, spread: "fixed", layerScale: 0.1 } as const
    const told: string[] = []
    const tell = (name: string) => Effect.sync(() => void told.push(name))
    const sources = new Map(randomTensors(config, options, tell).map((source) => [source.name, source]))
    const take = (name: string) => {
      const { data, shape } = sources.get(name)!
      const chunks = [...(Effect.runSync(data) as Iterable<Uint8Array>)].map((chunk) => chunk.slice())
      const patterns = chunks.flatMap((chunk) => [...new Uint16Array(chunk.buffer)])
      assert.lengthOf(
        patterns,
        shape.reduce((a, b) => a * b)
      )
      return { chunks, patterns }
    }
    assert.strictEqual(sources.size, 637)
    const key = take("language_model.model.layers.0.self_attn.k_proj.weight")
    const qkv = take("vision_model.encoder.layers.3.attn.qkv.weight")
    assert.deepStrictEqual(
      qkv.chunks.map(({ length }) => length),
      [2 ** 21, 2 ** 21, 2 ** 21]
    )
    assert.isTrue(take("vision_model.encoder.layers.3.ls1").patterns.every((pattern) => pattern === 0x3dcd))
    assert.strictEqual(told.length, 3)
    const values = new Float32Array(Uint32Array.from(key.patterns, (pattern) => pattern << 16).buffer)
    const square = values.reduce((sum, value) => sum + value * value, 0) / values.length
    assert.approximately(Math.sqrt(square), 0.02, 5 * (0.02 / Math.sqrt(2 * values.length)))
  })

  it("has the special tokens at their real ids, and bytes for everything else", async () => {
    const tokenizer = await byteTokenizer(readModelConfig(directory()).llm_config.model_type)
    assert.strictEqual(tokenizer.vocabSize, 151674)
    // docs/method.md, "Tokenizer": <|endoftext|>, <|im_start|>, <|im_end|>, <img>, </img>, <IMG_CONTEXT>
    const texts = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>"]
    assert.deepStrictEqual(
      texts.map((text) => tokenizer.tokenId(text)),
      [151643, 151644, 151645, 151665, 151666, 151667]
    )
    const text = "猫 and <img>"
    const ids = tokenizer.encode(text)
    assert.lengthOf(ids, 3 + 5 + 1)
    assert.strictEqual(tokenizer.decode(ids), text)
  })

  it("has those of Qwen3 where InternVL3.5 has them", async () => {
    const tokenizer = await byteTokenizer("qwen3")
    const texts = ["<|endoftext|>", "<|im_end|>", "<think>", "</think>", "<img>", "<IMG_CONTEXT>"]
    assert.deepStrictEqual(
      texts.map((text) => tokenizer.tokenId(text)),
      [151643, 151645, 151667, 151668, 151669, 151671]
    )
  })

  it("has those of InternLM2 where InternVL2.5-2B has them, in a SentencePiece model", async () => {
    const tokenizer = await byteTokenizer("internlm2")
    const texts = ["<s>", "</s>", "<|im_end|>", "<|im_start|>", "<img>", "<IMG_CONTEXT>", "</box>"]
    assert.deepStrictEqual(
      texts.map((text) => tokenizer.tokenId(text)),
      [1, 2, 92542, 92543, 92544, 92546, 92552]
    )
    assert.deepStrictEqual([tokenizer.vocabSize, tokenizer.startOfText, tokenizer.endOfText], [92553, "<s>", "</s>"])
    const text = "猫 and <img>"
    const ids = tokenizer.encode(text)
    assert.lengthOf(ids, 3 + 5 + 1)
    assert.strictEqual(tokenizer.decode(ids), text)
  })
})
