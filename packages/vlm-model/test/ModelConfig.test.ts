import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import {
  headWidth,
  keyValueWidth,
  ModelConfigInvalid,
  patchGrid,
  queryWidth,
  readModelConfig,
  tileSize,
  tokensPerTile
} from "../src/index.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

type Json = { [key: string]: unknown }

/** config.json as the hub has it. */
const published = (
  name: "1b" | "2b" | "internvl3_5-1b" | "internvl2_5-2b"
): Json & { vision_config: Json; llm_config: Json } => {
  const file = name.startsWith("internvl") ? name : `internvl3-${name}`
  return JSON.parse(readFileSync(new URL(`../../../configs/models/${file}.json`, import.meta.url), "utf8"))
}

const root = temporaryDirectory()
let made = 0
const directoryOf = (config: unknown): string => {
  const directory = join(root, `${made++}`)
  mkdirSync(directory)
  writeFileSync(join(directory, "config.json"), typeof config === "string" ? config : JSON.stringify(config))
  return directory
}
const decoded = (config: unknown) => readModelConfig(directoryOf(config))
const reasonOf = (config: unknown): string => {
  try {
    decoded(config)
  } catch (error) {
    assert.instanceOf(error, ModelConfigInvalid)
    assert.include(error.message, "config.json")
    return error.message
  }
  return assert.fail("the config was accepted")
}

/** The same model as transformers writes it. */
const huggingface = (): Json & { vision_config: Json; text_config: Json } => {
  const { vision_config: vision, llm_config: text } = published("1b")
  return {
    architectures: ["InternVLForConditionalGeneration"],
    model_type: "internvl",
    downsample_ratio: 0.5,
    image_seq_length: 256,
    image_token_id: 151667,
    projector_hidden_act: "gelu",
    text_config: { ...text, eos_token_id: 151645 },
    vision_config: {
      model_type: "internvl_vision",
      attention_bias: true,
      hidden_act: "gelu",
      hidden_size: vision["hidden_size"],
      image_size: [448, 448],
      intermediate_size: vision["intermediate_size"],
      layer_norm_eps: 1e-6,
      layer_scale_init_value: 0.1,
      norm_type: "layer_norm",
      num_attention_heads: 16,
      num_channels: 3,
      num_hidden_layers: 24,
      patch_size: [14, 14],
      use_absolute_position_embeddings: true,
      use_mean_pooling: true,
      use_qk_norm: false
    },
    vision_feature_layer: -1,
    vision_feature_select_strategy: "default"
  }
}

describe("readModelConfig", () => {
  it("refuses numbers that no model has, before anything is made of that size", () => {
    const config = published("1b")
    const inVision = (more: Json) => ({ ...config, vision_config: { ...config.vision_config, ...more } })
    const inLanguage = (more: Json) => ({ ...config, llm_config: { ...config.llm_config, ...more } })
    const cases: readonly (readonly [object, string])[] = [
      [inLanguage({ num_hidden_layers: 1e7 }), "num_hidden_layers"],
      [inLanguage({ vocab_size: 1e15 }), "vocab_size"],
      [inLanguage({ hidden_size: 2 ** 30 }), "hidden_size"],
      [inVision({ num_hidden_layers: 1e7 }), "num_hidden_layers"],
      [{ ...config, force_image_size: 28000 }, "force_image_size"],
      [{ ...config, max_dynamic_patch: 1e9 }, "max_dynamic_patch"]
    ]
    for (const [broken, key] of cases)
      assert.match(reasonOf(broken), new RegExp(`between 1 and \\d+, got \\d+\\s+at .*"${key}"`))
  })

  it("decodes every field of the published 1B config", () => {
    assert.deepStrictEqual(decoded(published("1b")), {
      vision_config: {
        hidden_size: 1024,
        image_size: 448,
        patch_size: 14,
        num_hidden_layers: 24,
        num_attention_heads: 16,
        intermediate_size: 4096,
        num_channels: 3,
        layer_norm_eps: 1e-6,
        hidden_act: "gelu",
        norm_type: "layer_norm",
        qkv_bias: true,
        qk_normalization: false,
        drop_path_rate: 0.1
      },
      llm_config: {
        model_type: "qwen2",
        tie_word_embeddings: false,
        hidden_size: 896,
        num_hidden_layers: 24,
        num_attention_heads: 14,
        num_key_value_heads: 2,
        intermediate_size: 4864,
        vocab_size: 151674,
        rope_theta: 1e6,
        rms_norm_eps: 1e-6,
        max_position_embeddings: 32768,
        hidden_act: "silu",
        rope_scaling: { type: "dynamic" },
        use_sliding_window: false
      },
      downsample_ratio: 0.5,
      ps_version: "v2",
      select_layer: -1,
      template: "internvl2_5",
      system_message: null,
      dynamic_image_size: true,
      min_dynamic_patch: 1,
      max_dynamic_patch: 12,
      use_thumbnail: true,
      pad2square: false,
      force_image_size: 448
    })
  })

  it("decodes the 2B config", () => {
    const { llm_config: language } = decoded(published("2b"))
    const { hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads, intermediate_size } = language
    assert.deepStrictEqual(
      [
        hidden_size,
        num_hidden_layers,
        num_attention_heads,
        num_key_value_heads,
        intermediate_size,
        headWidth(language)
      ],
      [1536, 28, 12, 2, 8960, 128]
    )
  })

  it("knows the sizes of a tile", () => {
    const config = decoded(published("1b"))
    assert.deepStrictEqual([tileSize(config), patchGrid(config), tokensPerTile(config)], [448, 32, 256])
    const small = decoded({ ...published("1b"), force_image_size: 224 })
    assert.deepStrictEqual([tileSize(small), patchGrid(small), tokensPerTile(small)], [224, 16, 64])
  })

  it("keeps a system message, and takes null and none alike", () => {
    assert.strictEqual(decoded({ ...published("1b"), system_message: "Be brief." }).system_message, "Be brief.")
    const { system_message: _, ...without } = published("1b")
    assert.isNull(decoded(without).system_message)
  })

  it("reads the transformers layout to the same config", () => {
    const original = decoded(published("1b"))
    const { vision_config, force_image_size, ...rest } = decoded(huggingface())
    const { vision_config: vision, force_image_size: _, ...expected } = original
    assert.deepStrictEqual(rest, expected)
    assert.deepStrictEqual(vision_config, { ...vision, drop_path_rate: 0 })
    assert.isNull(force_image_size)
    assert.strictEqual(tileSize(decoded(huggingface())), 448)
  })

  it("reads the rope parameters of transformers 5, and the chosen layer", () => {
    const config = huggingface()
    const { rope_theta: _, rope_scaling: __, ...text } = config.text_config
    const rope = { rope_theta: 5e5, rope_type: "dynamic", factor: 2 }
    const { llm_config, select_layer } = decoded({
      ...config,
      text_config: { ...text, rope_parameters: rope },
      vision_feature_layer: -2
    })
    assert.strictEqual(llm_config.rope_theta, 5e5)
    assert.strictEqual(select_layer, -2)
  })

  it("reads the rope parameters of transformers 5 in the original layout too", () => {
    const { llm_config, ...rest } = published("1b")
    const { rope_theta: _, rope_scaling: __, ...language } = llm_config
    const rope = { rope_theta: 5e5, rope_type: "dynamic", factor: 2 }
    const read = decoded({ ...rest, llm_config: { ...language, rope_parameters: rope } }).llm_config
    assert.strictEqual(read.rope_theta, 5e5)
    assert.deepStrictEqual(read.rope_scaling, { rope_type: "dynamic" })
    const yarn = { ...language, rope_parameters: { ...rope, rope_type: "yarn" } }
    assert.include(reasonOf({ ...rest, llm_config: yarn }), "yarn")
    // Older configs write it beside what the records of transformers 5 hold, newer ones may leave it out of them.
    const beside = { ...language, rope_theta: 3e5, rope_parameters: { rope_type: "default" } }
    assert.strictEqual(decoded({ ...rest, llm_config: beside }).llm_config.rope_theta, 3e5)
  })

  it("takes Qwen2's own base of rotary positions where a config states none", () => {
    const { llm_config, ...rest } = published("1b")
    const { rope_theta: _, ...language } = llm_config
    assert.strictEqual(decoded({ ...rest, llm_config: language }).llm_config.rope_theta, 10_000)
  })

  it("reads a Qwen3 decoder, whose heads have a width of their own", () => {
    const config = published("internvl3_5-1b")
    const language = decoded(config).llm_config
    assert.strictEqual(language.model_type, "qwen3")
    assert.deepStrictEqual([headWidth(language), queryWidth(language), keyValueWidth(language)], [128, 2048, 1024])
    const { head_dim: _, ...stated } = config.llm_config
    assert.strictEqual(headWidth(decoded({ ...config, llm_config: stated }).llm_config), 128)
    const narrow = decoded({ ...config, llm_config: { ...stated, head_dim: 64 } }).llm_config
    assert.deepStrictEqual([headWidth(narrow), queryWidth(narrow)], [64, 1024])
  })

  it("reads an InternLM2 decoder, whose positions are scaled beyond its context alone", () => {
    const config = published("internvl2_5-2b")
    const language = decoded(config).llm_config
    assert.strictEqual(language.model_type, "internlm2")
    assert.deepStrictEqual([headWidth(language), queryWidth(language), keyValueWidth(language)], [128, 2048, 1024])
    assert.deepStrictEqual(
      [language.rope_theta, language.rms_norm_eps, language.max_position_embeddings],
      [1e6, 1e-5, 32768]
    )
    const { max_position_embeddings: _, rope_theta: __, ...stated } = config.llm_config
    const silent = decoded({ ...config, llm_config: stated }).llm_config
    assert.deepStrictEqual([silent.rope_theta, silent.max_position_embeddings], [1e4, 2048])
  })

  it("knows the decoder by its architecture alone, and takes one without a name for Qwen2, as transformers does", () => {
    const config = published("internvl3_5-1b")
    const { model_type: _, ...language } = config.llm_config
    assert.strictEqual(decoded({ ...config, llm_config: language }).llm_config.model_type, "qwen3")
    const { model_type: __, architectures: ___, ...unnamed } = published("1b").llm_config
    assert.strictEqual(decoded({ ...published("1b"), llm_config: unnamed }).llm_config.model_type, "qwen2")
  })

  it("refuses a directory in which an older tool left its mark", () => {
    for (const name of ["quantize_config.json", "quant_config.json"]) {
      const directory = directoryOf(published("1b"))
      writeFileSync(join(directory, name), "{}")
      assert.throws(() => readModelConfig(directory), new RegExp(`quantized already \\(${name.replace(".", "\\.")}`))
    }
  })

  it("names every missing key at once", () => {
    const config = published("1b")
    const { hidden_size: _, ...language } = config.llm_config
    const { patch_size: __, num_attention_heads: ___, ...vision } = config.vision_config
    const reason = reasonOf({ ...config, llm_config: language, vision_config: vision })
    for (const path of [
      '["llm_config"]["hidden_size"]',
      '["vision_config"]["patch_size"]',
      '["num_attention_heads"]'
    ]) {
      assert.include(reason, path)
    }
    const { llm_config: ____, ...noLanguage } = config
    assert.include(reasonOf(noLanguage), '["llm_config"]')
  })

  const change = (part: "vision_config" | "llm_config", changes: Json) => {
    const config = published("1b")
    return { ...config, [part]: { ...config[part], ...changes } }
  }

  const internlm2 = (changes: Json) => {
    const config = published("internvl2_5-2b")
    return { ...config, llm_config: { ...config.llm_config, ...changes } }
  }

  it.each([
    ["another activation", change("vision_config", { hidden_act: "gelu_tanh" }), "gelu_tanh"],
    ["normalized queries", change("vision_config", { qk_normalization: true }), "qk_normalization"],
    ["another scaling of positions", change("llm_config", { rope_scaling: { type: "yarn" } }), "yarn"],
    ["a sliding window", change("llm_config", { use_sliding_window: true }), "use_sliding_window"],
    ["a fraction", change("llm_config", { num_hidden_layers: 1.5 }), "num_hidden_layers"],
    ["no layers", change("llm_config", { num_hidden_layers: 0 }), "num_hidden_layers"],
    ["heads that do not divide", change("llm_config", { num_attention_heads: 15 }), "does not divide hidden_size 896"],
    [
      "groups that do not divide",
      change("llm_config", { num_key_value_heads: 4 }),
      "does not divide num_attention_heads 14"
    ],
    ["heads of the tower", change("vision_config", { num_attention_heads: 10 }), "does not divide hidden_size 1024"],
    [
      "a grid that is odd",
      { ...published("1b"), force_image_size: 434 },
      "twice patch_size 28 does not divide the tile size 434"
    ],
    ["a layer that is not there", { ...published("1b"), select_layer: -26 }, "select_layer -26 of 24 blocks"],
    ["a layer counted from the front", { ...published("1b"), select_layer: 0 }, "select_layer"],
    ["tiles the wrong way round", { ...published("1b"), min_dynamic_patch: 13 }, "min_dynamic_patch 13"],
    [
      "InternLM3",
      change("llm_config", { model_type: "internlm3", architectures: ["InternLM3ForCausalLM"] }),
      'its language model is "InternLM3ForCausalLM", "internlm3"'
    ],
    ["an InternLM2 with biases", internlm2({ bias: true }), "bias true, but only an internlm2 with bias false"],
    [
      "an InternLM2 that does not say that it has no biases",
      internlm2({ bias: undefined }),
      "bias absent, which means true"
    ],
    [
      "an InternLM2 whose positions are scaled in all lengths",
      internlm2({ rope_scaling: { type: "linear" } }),
      "linear"
    ],
    ["a mixture of experts", change("llm_config", { architectures: ["Qwen3MoeForCausalLM"] }), '"Qwen3MoeForCausalLM"'],
    [
      "a decoder with two names",
      change("llm_config", { model_type: "qwen3" }),
      'the names "Qwen2ForCausalLM", "qwen3", which contradict each other'
    ],
    ["another model", { ...published("1b"), model_type: "qwen2_5_vl" }, 'its model is "qwen2_5_vl"'],
    ["another tower", change("vision_config", { model_type: "siglip_vision_model" }), '"siglip_vision_model"'],
    [
      "a GPTQ model",
      { ...published("1b"), quantization_config: { quant_method: "gptq", bits: 4 } },
      'quantized already (quantization_config "gptq")'
    ],
    [
      "a language model that AWQ quantized",
      change("llm_config", { quantization_config: { quant_method: "awq" } }),
      'quantized already (quantization_config "awq")'
    ],
    [
      "a transformers config of a quantized model",
      { ...huggingface(), text_config: { ...huggingface().text_config, quantization_config: { bits: 4 } } },
      "quantized already (quantization_config of no named method)"
    ],
    ["a Qwen2 without biases", change("llm_config", { attention_bias: false }), "the attention of qwen2 has biases"],
    ["heads of an odd width", change("llm_config", { head_dim: 63 }), "does not divide head_dim 63"],
    [
      "sliding layers",
      change("llm_config", { layer_types: ["full_attention", "sliding_attention"] }),
      "sliding_attention"
    ],
    [
      "a Qwen3 with biases",
      {
        ...published("internvl3_5-1b"),
        llm_config: { ...published("internvl3_5-1b").llm_config, attention_bias: true }
      },
      "the attention of qwen3 has no biases"
    ],
    ["another template", { ...published("1b"), template: "internlm2-chat" }, "template"],
    [
      "a tower without biases",
      { ...huggingface(), vision_config: { ...huggingface().vision_config, attention_bias: false } },
      "qkv_bias"
    ],
    ["no object", "[]", "not a JSON object"],
    ["no JSON", "{", "JSON"]
  ])("refuses %s", (_, config, expected) => {
    assert.include(reasonOf(config), expected)
  })

  it("says which file is missing", () => {
    assert.throws(() => readModelConfig(join(root, "nowhere")), /nowhere.*config\.json/)
  })
})
