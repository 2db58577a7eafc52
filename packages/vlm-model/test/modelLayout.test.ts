import { readFileSync } from "node:fs"
import { sizeOf } from "@speedq/tensors"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { linearLayers, ModelConfig, modelTensors, parameterCount, randomTensor, towerOf } from "../src/index.ts"
import { tinyConfig, tinyTensors } from "./tinyModel.ts"

const published = (size: "1b" | "2b") =>
  Schema.decodeUnknownSync(Schema.fromJsonString(ModelConfig))(
    readFileSync(new URL(`../../../configs/models/internvl3-${size}.json`, import.meta.url), "utf8")
  )

describe("modelTensors", () => {
  it.each([
    ["1b", 637, 938_193_024, 629_697_920, 4_482_816],
    ["2b", 685, 2_088_957_440, 1_776_283_136, 8_662_016]
  ] as const)("has the tensors and parameters of InternVL3-%s", (size, tensors, parameters, language, projector) => {
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

  it("lists the Linear layers that quantizers may take", () => {
    const layers = linearLayers(published("1b"))
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
