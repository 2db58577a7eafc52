/** Reads config.json of a model directory, in either layout. */
import { FileFailed, isThere, parseJson, pathIn, readTextSync } from "@speedq/formats"
import { openModelSync } from "@speedq/formats/Safetensors"
import * as Schema from "effect/Schema"
import { isJsonObject, type JsonObject } from "../internal/jsonObject.ts"
import { decoderFamilies } from "./decoderFamilies.ts"
import { isOfHead, type Layout } from "./huggingfaceNames.ts"
import { ModelConfig } from "./ModelConfig.ts"
import { ModelConfigInvalid } from "./ModelErrors.ts"
import { alreadyQuantized, supportedDecoder, Unsupported } from "./supportedModel.ts"

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const first = (value: unknown): unknown => (Array.isArray(value) ? value[0] : value)

/** The transformers-native config keeps the language model's part under another name. */
const isHuggingface = (
  raw: unknown
): raw is JsonObject & { readonly text_config: JsonObject; readonly vision_config: JsonObject } =>
  isJsonObject(raw) && isJsonObject(raw["text_config"]) && isJsonObject(raw["vision_config"])

/**
 * The transformers-native config says the same in other words: `text_config`, sizes as [height, width] pairs, other names
 * for biases, norms and the chosen layer. Absent keys mean that library's defaults.
 */
const fromHuggingface = (raw: JsonObject): JsonObject => {
  if (!isHuggingface(raw)) return raw
  const { text_config: text, vision_config: vision } = raw
  return {
    ...raw,
    llm_config: text,
    vision_config: {
      ...vision,
      image_size: first(vision["image_size"]),
      patch_size: first(vision["patch_size"]),
      qk_normalization: vision["use_qk_norm"] ?? false,
      qkv_bias: vision["attention_bias"] ?? false
    },
    select_layer: raw["vision_feature_layer"] ?? -1,
    force_image_size: null
  }
}

/** Since version 5 transformers writes base and scaling of rotary positions as one record, whatever the layout. */
const withRope = (language: JsonObject): JsonObject => {
  const { rope_parameters: rope, ...rest } = language
  if (!isJsonObject(rope)) return rest
  const base = rope["rope_theta"] === undefined ? {} : { rope_theta: rope["rope_theta"] }
  return { ...rest, ...base, rope_scaling: rope }
}

const part = (raw: JsonObject, name: string): JsonObject => {
  const value = raw[name]
  return isJsonObject(value) ? value : {}
}

/** Decodes the content of config.json. Raises ModelConfigInvalid for `file`, which names every missing and every wrong key. */
export const decodeModelConfig = (raw: unknown, file: string): ModelConfig => {
  if (!isJsonObject(raw)) throw new ModelConfigInvalid({ file, reason: "it is not a JSON object" })
  try {
    const config = fromHuggingface(raw)
    const language = part(config, "llm_config")
    const kind = supportedDecoder({ whole: raw, tower: part(config, "vision_config"), language })
    const max_position_embeddings = decoderFamilies[kind].contextLength
    const normal = isJsonObject(config["llm_config"])
      ? { ...config, llm_config: { max_position_embeddings, ...withRope(language), model_type: kind } }
      : config
    return Schema.decodeUnknownSync(ModelConfig)(normal, { errors: "all", reportInput: true })
  } catch (error) {
    if (error instanceof Unsupported) throw new ModelConfigInvalid({ file, reason: error.message })
    throw new ModelConfigInvalid({ file, reason: `not an InternVL config: ${reasonOf(error)}` })
  }
}

const fileIn = (directory: string): string => pathIn(directory, "config.json")

const readRaw = (file: string): unknown => {
  try {
    return parseJson(readTextSync(file))
  } catch (error) {
    const refused = error instanceof FileFailed ? error : undefined
    const isAbsent = refused?.code === "ENOENT"
    const reason = isAbsent
      ? "it does not exist; give a directory of an InternVL model"
      : (refused?.reason ?? reasonOf(error))
    throw new ModelConfigInvalid({ file, reason })
  }
}

/** Whose words config.json is in, and so whose names the code that it is for gives to tensors. Raises ModelConfigInvalid. */
export const readLayout = (directory: string): Layout =>
  isHuggingface(readRaw(fileIn(directory))) ? "huggingface" : "original"

/** Whether a checkpoint is there and has no tensor of a head. What cannot be read is reported where it is loaded. */
const lacksHead = (directory: string): boolean => {
  let store: ReturnType<typeof openModelSync>
  try {
    store = openModelSync(directory)
  } catch {
    return false
  }
  const names = [...store.tensors.keys()]
  store.close()
  return !names.some(isOfHead)
}

/**
 * transformers 5 takes `tie_word_embeddings` of the whole model, true by default there, and drops the head when it saves; but it
 * leaves a head alone that it has loaded as another matrix. So that key counts where the checkpoint has no head.
 */
const withTie = (config: ModelConfig, raw: unknown, directory: string): ModelConfig => {
  const { llm_config } = config
  const stated = isJsonObject(raw) && raw["tie_word_embeddings"] === true
  return stated && !llm_config.tie_word_embeddings && lacksHead(directory)
    ? { ...config, llm_config: { ...llm_config, tie_word_embeddings: true } }
    : config
}

/** Files by which older tools for GPTQ and AWQ say what they did to the weights beside them. */
const quantizationFiles = ["quantize_config.json", "quant_config.json"]

/** Decodes config.json of `directory`. Raises ModelConfigInvalid. */
export const readModelConfig = (directory: string): ModelConfig => {
  const file = fileIn(directory)
  const raw = readRaw(file)
  const config = withTie(decodeModelConfig(raw, file), raw, directory)
  const found = quantizationFiles.find((name) => isThere(pathIn(directory, name)))
  if (found !== undefined)
    throw new ModelConfigInvalid({ file, reason: alreadyQuantized(`${found} is beside it`).message })
  return config
}
