/** Checkpoints of models that tie head and embedding: without a head, with a copy of it, and with another matrix in its place. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import { makeReferenceBackend } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { HeadNotTied, WeightsMismatch, WeightsQuantized } from "../src/index.ts"
import { sharedFixturePath } from "./fixture.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"
import { loadDirectory } from "./tinyModel.ts"

const [tied, untied] = ["internvl3_5_tied", "internvl3_5"].map((name) => sharedFixturePath(`${name}/checkpoint`)) as [
  string,
  string
]
const backend = makeReferenceBackend()
afterAll(() => backend.close())
const root = temporaryDirectory()
let made = 0

/** A checkpoint with other tensors. */
const changed = async (
  from: string,
  change: (tensors: Map<string, { readonly shape: readonly number[]; readonly bytes: Uint8Array }>) => void
): Promise<string> => {
  const directory = join(root, `${made++}`)
  mkdirSync(directory)
  cpSync(join(from, "config.json"), join(directory, "config.json"))
  const store = Safetensors.openModelSync(from)
  const tensors = new Map([...store.tensors].map(([name, { shape }]) => [name, { shape, bytes: store.read(name) }]))
  store.close()
  change(tensors)
  const sources = [...tensors].map(([name, { shape, bytes }]) => ({
    name,
    dtype: "F32" as const,
    shape,
    data: Effect.succeed(bytes)
  }))
  await Effect.runPromise(Safetensors.write(join(directory, "model.safetensors"), sources))
  return directory
}

const embedding = "language_model.model.embed_tokens.weight"
const head = "language_model.lm_head.weight"
const failureOf = (directory: string): unknown => {
  try {
    loadDirectory(backend, directory)
  } catch (error) {
    return error
  }
  return assert.fail("it was loaded")
}

describe("a tied model", () => {
  it("has no matrix of its own for the head, with or without a copy in the checkpoint", async () => {
    const copy = await changed(tied, (tensors) => tensors.set(head, tensors.get(embedding)!))
    for (const directory of [tied, copy]) {
      const { config, parameters } = loadDirectory(backend, directory)
      assert.isTrue(config.llm_config.tie_word_embeddings)
      assert.isUndefined(parameters["language_model.lm_head.weight"])
      assert.isDefined(parameters["language_model.model.embed_tokens.weight"])
      for (const tensor of Object.values(parameters)) tensor.release()
    }
  })

  it("may say so for the whole model alone, as transformers 5 does; a head of its own then stays what it is", async () => {
    const restate = (directory: string): string => {
      const file = join(directory, "config.json")
      const config = JSON.parse(readFileSync(file, "utf8"))
      const text_config = { ...config.text_config, tie_word_embeddings: false }
      writeFileSync(file, JSON.stringify({ ...config, text_config, tie_word_embeddings: true }))
      return directory
    }
    for (const [from, expected] of [
      [tied, true],
      [untied, false]
    ] as const) {
      const { config, parameters } = loadDirectory(backend, restate(await changed(from, () => {})))
      assert.strictEqual(config.llm_config.tie_word_embeddings, expected)
      for (const tensor of Object.values(parameters)) tensor.release()
    }
  })

  it("is refused with a head that is another matrix", async () => {
    const other = await changed(tied, (tensors) => {
      const { shape, bytes } = tensors.get(embedding)!
      tensors.set(head, {
        shape,
        bytes: Uint8Array.from(bytes, (byte, i) => (i === bytes.length - 4 ? byte ^ 1 : byte))
      })
    })
    const error = failureOf(other)
    assert.instanceOf(error, HeadNotTied)
    assert.match(
      error.message,
      /tie_word_embeddings, but the tensors "language_model.lm_head.weight" and .*embed_tokens.weight" differ/
    )
  })
})

it("a model that is not tied is refused without a head", async () => {
  const error = failureOf(await changed(untied, (tensors) => tensors.delete(head)))
  assert.instanceOf(error, WeightsMismatch)
  assert.deepStrictEqual([error.missing, error.unexpected], [["language_model.lm_head.weight"], []])
})

it("a checkpoint of Qwen2's tensors is no Qwen3: all norms are missing, all biases unexpected", async () => {
  const qwen2 = await changed(untied, (tensors) => {
    for (const name of [...tensors.keys()]) {
      if (/[qk]_norm/.test(name)) tensors.delete(name)
    }
    tensors.set("language_model.model.layers.0.self_attn.q_proj.bias", {
      shape: [64],
      bytes: new Uint8Array(256)
    })
  })
  const error = failureOf(qwen2)
  assert.instanceOf(error, WeightsMismatch)
  assert.lengthOf(error.missing, 2 * 3)
  assert.deepStrictEqual(error.unexpected, ["language_model.model.layers.0.self_attn.q_proj.bias"])
})

it.each(["qweight", "weight_packed", "weight_scale"])("a tensor named %s is of a quantized model", async (ending) => {
  const name = "language_model.model.layers.0.mlp.up_proj"
  const quantized = await changed(untied, (tensors) => tensors.set(`${name}.${ending}`, tensors.get(`${name}.weight`)!))
  const error = failureOf(quantized)
  assert.instanceOf(error, WeightsQuantized)
  assert.include(error.message, `${name}.${ending}`)
})
