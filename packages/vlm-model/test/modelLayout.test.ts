import { readFileSync } from "node:fs"
import { sizeOf } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { decodeModelConfig, linearLayers, modelTensors, parameterCount, randomTensor, towerOf } from "../src/index.ts"
import { tinyConfig, tinyTensors } from "./tinyModel.ts"

const published = (name: string) => {
  const file = new URL(`../../../configs/models/internvl${name}.json`, import.meta.url)
  return decodeModelConfig(JSON.parse(readFileSync(file, "utf8")), name)
}

describe("modelTensors", () => {
  it.each([
    ["2_5-1b", 637, 938_193_024, 629_697_920, 4_482_816],
    ["2_5-2b", 517, 2_205_754_368, 1_889_146_880, 12_595_200],
    ["3-1b", 637, 938_193_024, 629_697_920, 4_482_816],
    ["3-2b", 685, 2_088_957_440, 1_776_283_136, 8_662_016],
    ["3-8b", 685, 7_944_373_760, 7_612_820_992, 27_540_480],
    // 1,060,897,792 is what the -HF checkpoint of InternVL3.5-1B counts.
    ["3_5-1b", 657, 1_060_897_792, 751_632_384, 5_253_120],
    ["3_5-2b", 657, 2_348_347_392, 2_031_739_904, 12_595_200]
  ] as const)("has the tensors and parameters of InternVL%s", (size, tensors, parameters, language, projector) => {
    const config = published(size)
    assert.strictEqual(modelTensors(config).size, tensors)
    assert.strictEqual(parameterCount(config), parameters)
    const count = (tower: string) =>
      [...modelTensors(config)].reduce((sum, [name, shape]) => sum + (towerOf(name) === tower ? sizeOf(shape) : 0), 0)
    assert.deepStrictEqual([count("vision"), count("projector"), count("language")], [304_012_288, projector, language])
  })

  it("has the names and shapes of a checkpoint in the hub's layout", () => {
    const stored = [...tinyTensors].map(([name, { shape }]) => [name, [...shape]] as const)
    assert.deepStrictEqual(new Map(modelTensors(tinyConfig)), new Map(stored))
  })

  it("has norms of queries and keys and no biases in Qwen3, and no head where it is tied", () => {
    const config = published("3_5-1b")
    const shapes = modelTensors(config)
    const attention = "language_model.model.layers.27.self_attn"
    const of = (name: string) => shapes.get(`${attention}.${name}`)
    assert.deepStrictEqual(["q_norm.weight", "k_norm.weight"].map(of), [[128], [128]])
    assert.deepStrictEqual(["q_proj.weight", "k_proj.weight", "o_proj.weight"].map(of), [
      [2048, 1024],
      [1024, 1024],
      [1024, 2048]
    ])
    assert.isFalse([...shapes.keys()].some((name) => name.startsWith("language_model") && name.endsWith(".bias")))
    assert.strictEqual(linearLayers(config).size, 24 * 4 + 2 + 28 * 7)
    const tied = { ...config, llm_config: { ...config.llm_config, tie_word_embeddings: true } }
    const without = modelTensors(tied)
    assert.isFalse(without.has("language_model.lm_head.weight"))
    assert.strictEqual(parameterCount(tied), parameterCount(config) - 151_936 * 1024)
  })

  it("has the names of InternLM2's checkpoints, and one matrix for queries, keys and values", () => {
    const config = published("2_5-2b")
    const shapes = modelTensors(config)
    const ofLayer = [...shapes].filter(([name]) => name.startsWith("language_model.model.layers.23."))
    const names = ofLayer.map(([name, shape]) => [name.slice("language_model.model.layers.23.".length), ...shape])
    assert.deepStrictEqual(names, [
      ["attention.wqkv.weight", 4096, 2048],
      ["attention.wo.weight", 2048, 2048],
      ["feed_forward.w1.weight", 8192, 2048],
      ["feed_forward.w3.weight", 8192, 2048],
      ["feed_forward.w2.weight", 2048, 8192],
      ["attention_norm.weight", 2048],
      ["ffn_norm.weight", 2048]
    ])
    for (const name of ["model.tok_embeddings", "output"]) {
      assert.deepStrictEqual(shapes.get(`language_model.${name}.weight`), [92553, 2048])
    }
    assert.strictEqual(linearLayers(config).size, 24 * 4 + 2 + 24 * 5)
  })

  it("lists the Linear layers that quantizers may take", () => {
    const layers = linearLayers(published("3-1b"))
    assert.strictEqual(layers.size, 24 * 4 + 2 + 24 * 7)
    assert.deepStrictEqual(layers.get("language_model.model.layers.23.mlp.down_proj"), [896, 4864])
    assert.deepStrictEqual(layers.get("vision_model.encoder.layers.0.attn.qkv"), [3072, 1024])
    assert.deepStrictEqual(layers.get("mlp1.1"), [896, 4096])
    for (const name of layers.keys()) assert.notMatch(name, /embed|lm_head|norm/)
  })
})

describe("randomTensor", () => {
  const made = (name: string, shape: readonly number[], spread: "fixed" | "fan-in", seed = 1) => {
    const target = new Float32Array(sizeOf(shape))
    randomTensor(name, shape, target, { seed, spread, layerScale: 0.1 })
    return target
  }

  it("is reproducible by seed and name", () => {
    const name = "mlp1.1.weight"
    assert.deepStrictEqual(made(name, [3, 5], "fixed"), made(name, [3, 5], "fixed"))
    assert.notDeepEqual(made(name, [3, 5], "fixed"), made(name, [3, 5], "fixed", 2))
    assert.notDeepEqual(made(name, [3, 5], "fixed"), made("mlp1.3.weight", [3, 5], "fixed"))
  })

  it("starts norms at one, biases at zero, layer scales as said, matrices spread as said", () => {
    assert.deepStrictEqual([...made("mlp1.0.weight", [2], "fixed")], [1, 1])
    assert.deepStrictEqual([...made("language_model.model.layers.0.input_layernorm.weight", [2], "fan-in")], [1, 1])
    assert.deepStrictEqual([...made("vision_model.encoder.layers.0.norm1.weight", [1], "fan-in")], [1])
    assert.deepStrictEqual([...made("mlp1.1.bias", [2], "fan-in")], [0, 0])
    assert.deepStrictEqual([...made("vision_model.encoder.layers.0.ls1", [1], "fixed")], [Math.fround(0.1)])
    const bounded = made("mlp1.1.weight", [100, 16], "fan-in")
    assert.isBelow(Math.max(...bounded.map(Math.abs)), 0.25)
    const normal = made("mlp1.1.weight", [100, 100], "fixed")
    const spread = Math.sqrt(normal.reduce((sum, x) => sum + x * x, 0) / normal.length)
    assert.approximately(spread, 0.02, 0.001)
  })
})
