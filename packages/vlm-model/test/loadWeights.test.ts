import { readFileSync } from "node:fs"
import { join } from "node:path"
import { ReadRefused, Safetensors, TensorNotFinite } from "@speedq/formats"
import { type Backend, makeNativeBackend, makeReferenceBackend } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { loadWeights, modelTensors, resizePositions, WeightShapeMismatch, WeightsMismatch } from "../src/index.ts"
import { toHuggingface } from "./huggingfaceLayout.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"
import {
  largestDifference,
  loadDirectory,
  type StoredTensor,
  single,
  singleLogits,
  tinyConfig,
  tinyDirectory,
  tinyTensors,
  writeModelDirectory
} from "./tinyModel.ts"

const root = temporaryDirectory()
let made = 0
const written = async (
  tensors: ReadonlyMap<string, StoredTensor>,
  options?: Parameters<typeof writeModelDirectory>[2]
): Promise<string> => {
  const directory = join(root, `${made++}`)
  await Effect.runPromise(writeModelDirectory(directory, tensors, options))
  return directory
}

const native = await makeNativeBackend({ threads: 1 })
const reference = makeReferenceBackend()
afterAll(() => Promise.all([native.close(), reference.close()]))

const logitsOf = async (backend: Backend, directory: string, matrices: "stored" | "f32" = "f32") => {
  const { config, parameters } = loadDirectory(backend, directory, matrices)
  const logits = await singleLogits(backend, config, parameters)
  for (const tensor of Object.values(parameters)) tensor.release()
  return logits
}

const config = JSON.parse(readFileSync(join(tinyDirectory, "config.json"), "utf8"))
const huggingfaceConfig = {
  model_type: "internvl",
  text_config: config.llm_config,
  vision_config: {
    ...config.vision_config,
    image_size: [56, 56],
    patch_size: [14, 14],
    attention_bias: true,
    use_qk_norm: false
  }
}

describe("layouts", () => {
  it.each([native, reference])("$kind: original, transformers 4.52 and 5 give the same logits", async (backend) => {
    const expected = await logitsOf(backend, tinyDirectory)
    assert.isBelow(largestDifference(expected, single.logits), 1e-4)
    for (const version of ["4.52", "5"] as const) {
      const tensors = toHuggingface(tinyTensors, version)
      assert.strictEqual(tensors.size, tinyTensors.size + 2 * 4)
      const directory = await written(tensors, { config: huggingfaceConfig })
      assert.deepStrictEqual(await logitsOf(backend, directory), expected)
    }
  })

  it("reads shards", async () => {
    const directory = await written(toHuggingface(tinyTensors, "5"), { maxShardBytes: 200_000 })
    const index = JSON.parse(readFileSync(join(directory, "model.safetensors.index.json"), "utf8"))
    assert.isAbove(new Set(Object.values(index.weight_map)).size, 2)
    assert.deepStrictEqual(await logitsOf(native, directory), await logitsOf(native, tinyDirectory))
  })

  it("ignores the quantizer buffers of SPEED-Q's checkpoints", async () => {
    const buffers = ["maxq", "scale", "zero", "qq_scale.maxq", "qq_scale.scale", "qq_scale.zero"].map(
      (buffer) =>
        [
          `language_model.model.layers.0.mlp.up_proj.weight_quantizer.${buffer}`,
          { shape: [1], values: new Float32Array(1) }
        ] as const
    )
    const directory = await written(new Map([...tinyTensors, ...buffers]))
    assert.deepStrictEqual(await logitsOf(native, directory), await logitsOf(native, tinyDirectory))
  })
})

const failureOf = (directory: string, matrices?: "stored" | "f32"): unknown => {
  const { bytes } = native.usage()
  try {
    loadDirectory(native, directory, matrices)
  } catch (error) {
    assert.strictEqual(native.usage().bytes, bytes, "nothing stays loaded")
    return error
  }
  return assert.fail("it was loaded")
}

describe("a damaged number", () => {
  const places = [
    ["vision_model.encoder.layers.1.mlp.fc1.weight", [3, 2]],
    // Of no token that any text of the tests has.
    ["language_model.model.embed_tokens.weight", [77, 5]],
    ["language_model.model.layers.0.self_attn.q_proj.bias", [1]],
    ["vision_model.embeddings.position_embedding", [0, 4, 3]],
    ["mlp1.0.weight", [0]]
  ] as const
  const damaged = (name: string, index: readonly number[], value: number) => {
    const { shape, values } = tinyTensors.get(name)!
    const copy = Float32Array.from(values)
    copy[index.reduce((at, place, axis) => at * shape[axis]! + place, 0)] = value
    return new Map([...tinyTensors, [name, { shape, values: copy }] as const])
  }

  it.each(places)("in %s is refused, in every format and layout", async (name, index) => {
    for (const dtype of ["F32", "BF16", "F16"] as const) {
      for (const matrices of ["stored", "f32"] as const) {
        for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
          const directory = await written(damaged(name, index, value), { dtype })
          const error = failureOf(directory, matrices)
          assert.instanceOf(error, TensorNotFinite)
          assert.strictEqual(error.tensor, name)
          assert.strictEqual(error.file, join(directory, "model.safetensors"))
          assert.deepStrictEqual([error.nan, error.infinite], Number.isNaN(value) ? [1, 0] : [0, 1])
          assert.deepStrictEqual(error.firstIndex, index)
        }
      }
    }
  })

  it("is named by its file's own name for it, and by its shard", async () => {
    const tensors = toHuggingface(damaged("mlp1.1.weight", [0, 0], Number.NaN), "5")
    const directory = await written(tensors, { config: huggingfaceConfig, maxShardBytes: 200_000 })
    const error = failureOf(directory)
    assert.instanceOf(error, TensorNotFinite)
    assert.strictEqual(error.tensor, "model.multi_modal_projector.linear_1.weight")
    assert.match(error.file, /model-0000\d-of-0000\d\.safetensors$/)
  })
})

describe("storage", () => {
  it.each(["BF16", "F16"] as const)("%s: stored matrices give the logits of widened ones", async (dtype) => {
    const directory = await written(tinyTensors, { dtype })
    const { parameters } = loadDirectory(reference, directory, "stored")
    for (const [name, tensor] of Object.entries(parameters)) {
      const isMatrix = tensor.shape.length === 2
      assert.strictEqual(tensor.dtype, isMatrix ? dtype.toLowerCase() : "f32", name)
    }
    assert.deepStrictEqual(await logitsOf(reference, directory, "stored"), await logitsOf(reference, directory, "f32"))
    const widened = await logitsOf(native, directory, "f32")
    assert.isBelow(largestDifference(await logitsOf(native, directory, "stored"), widened), 1e-5)
    // Sixteen bits are not what PyTorch computed with: near, and not the same.
    const difference = largestDifference(widened, single.logits)
    assert.isTrue(difference > 1e-4 && difference < 0.2, `${difference}`)
  })

  it("widens every number exactly", async () => {
    const directory = await written(tinyTensors, { dtype: "BF16" })
    const { parameters } = loadDirectory(native, directory, "f32")
    const upperHalf = new Uint32Array([0xffff0000])
    for (const name of [
      "language_model.lm_head.weight",
      "mlp1.1.weight",
      "vision_model.encoder.layers.1.attn.qkv.bias"
    ]) {
      const values = (await parameters[name]!.read()) as Float32Array
      const bits = new Uint32Array(values.buffer)
      assert.isTrue(bits.every((pattern) => (pattern & ~upperHalf[0]!) === 0))
      assert.isBelow(largestDifference(values, tinyTensors.get(name)!.values), 0.02)
    }
    for (const tensor of Object.values(parameters)) tensor.release()
  })

  it("takes what the tensors take, and only those that are selected", () => {
    const before = native.usage().bytes
    const store = Safetensors.openModelSync(tinyDirectory)
    const select = (name: string) => name.startsWith("vision_model.")
    const parameters = loadWeights(native, tinyConfig, store, { select })
    store.close()
    const expected = [...modelTensors(tinyConfig)].filter(([name]) => select(name))
    assert.deepStrictEqual(
      Object.keys(parameters),
      expected.map(([name]) => name)
    )
    const floats = expected.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0)
    assert.strictEqual(native.usage().bytes - before, 4 * floats)
    for (const tensor of Object.values(parameters)) tensor.release()
    assert.strictEqual(native.usage().bytes, before)
  })
})

describe("position embeddings", () => {
  it.each(["F32", "BF16"] as const)("%s: are resized for another tile size", async (dtype) => {
    const directory = await written(tinyTensors, { dtype, config: { ...config, force_image_size: 84 } })
    const { parameters } = loadDirectory(reference, directory, "stored")
    const name = "vision_model.embeddings.position_embedding"
    assert.deepStrictEqual(parameters[name]!.shape, [1, 37, 64])
    const original = loadDirectory(reference, await written(tinyTensors, { dtype })).parameters[name]!
    const table = (await original.read()) as Float32Array
    const resized = (await parameters[name]!.read()) as Float32Array
    assert.deepStrictEqual(resized, resizePositions(table, 64, [4, 4], [6, 6]))
    assert.deepStrictEqual(resized.slice(0, 64), table.slice(0, 64))
  })
})

describe("errors", () => {
  it("lists all missing and all unexpected tensors, in the checkpoint's own spelling", async () => {
    const missing = ["mlp1.0.bias", "vision_model.encoder.layers.0.attn.qkv.weight", "language_model.lm_head.weight"]
    const stranger = { shape: [1], values: new Float32Array(1) }
    const tensors = new Map([...tinyTensors].filter(([name]) => !missing.includes(name)))
    tensors.set("language_model.model.layers.7.mlp.up_proj.weight", stranger)
    tensors.set("vision_model.encoder.layers.0.attn.q_norm.weight", stranger)
    const error = failureOf(await written(tensors))
    assert.instanceOf(error, WeightsMismatch)
    assert.sameMembers([...error.missing], missing)
    assert.sameMembers(
      [...error.unexpected],
      ["language_model.model.layers.7.mlp.up_proj.weight", "vision_model.encoder.layers.0.attn.q_norm.weight"]
    )
    for (const name of [...error.missing, ...error.unexpected]) assert.include(error.message, name)
    assert.include(error.message, "3 tensors are missing, 2 are unexpected")
  })

  it("misses a fused tensor of which a part is missing", async () => {
    const tensors = new Map(toHuggingface(tinyTensors, "5"))
    tensors.delete("model.vision_tower.encoder.layer.1.attention.k_proj.bias")
    const error = failureOf(await written(tensors, { config: huggingfaceConfig }))
    assert.instanceOf(error, WeightsMismatch)
    assert.deepStrictEqual([...error.missing], ["vision_model.encoder.layers.1.attn.qkv.bias"])
    assert.deepStrictEqual(
      [...error.unexpected],
      ["q_proj", "v_proj"].map((part) => `model.vision_tower.encoder.layer.1.attention.${part}.bias`)
    )
  })

  it("refuses a tensor under two names", async () => {
    const head = tinyTensors.get("language_model.lm_head.weight")!
    const error = failureOf(await written(new Map([...tinyTensors, ["lm_head.weight", head]])))
    assert.instanceOf(error, WeightsMismatch)
    assert.strictEqual(error.missing.length, 0)
    assert.strictEqual(error.unexpected.length, 1)
    assert.match(error.unexpected[0]!, /lm_head\.weight$/)
  })

  it("refuses another shape", async () => {
    const name = "language_model.model.embed_tokens.weight"
    const tensors = new Map([...tinyTensors, [name, { shape: [64, 160], values: new Float32Array(64 * 160) }]])
    const error = failureOf(await written(tensors))
    assert.instanceOf(error, WeightShapeMismatch)
    assert.deepStrictEqual([error.name, error.expected, error.actual], [name, "[160, 64]", "[64, 160]"])
    for (const part of [name, "[160, 64]", "[64, 160]", "model.safetensors"]) assert.include(error.message, part)
  })

  it("refuses double precision", async () => {
    const error = failureOf(await written(tinyTensors, { dtype: "F64" }))
    assert.instanceOf(error, WeightShapeMismatch)
    assert.strictEqual(error.actual, "F64")
  })

  it("gives memory back when reading fails half way", () => {
    const { bytes } = native.usage()
    const store = Safetensors.openModelSync(tinyDirectory)
    let asked = 0
    const select = () => {
      if (++asked === 40) store.close()
      return true
    }
    assert.throws(() => loadWeights(native, tinyConfig, store, { select }), ReadRefused)
    assert.strictEqual(native.usage().bytes, bytes)
  })
})
