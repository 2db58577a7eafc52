/** Reads config.json of a model directory, in either layout. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Schema from "effect/Schema"
import type { Layout } from "./huggingfaceNames.ts"
import { ModelConfig } from "./ModelConfig.ts"
import { ModelConfigInvalid } from "./ModelErrors.ts"

type Json = { readonly [key: string]: unknown }

const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const first = (value: unknown): unknown => (Array.isArray(value) ? value[0] : value)

/** The transformers-native config keeps the language model's part under another name. */
const isHuggingface = (raw: unknown): raw is Json & { readonly text_config: Json; readonly vision_config: Json } =>
  isRecord(raw) && isRecord(raw["text_config"]) && isRecord(raw["vision_config"])

/**
 * The transformers-native config says the same in other words: `text_config`, sizes as [height, width] pairs, other names
 * for biases, norms and the chosen layer, since version 5 `rope_parameters`. Absent keys mean that library's defaults.
 */
const fromHuggingface = (raw: Json): Json => {
  if (!isHuggingface(raw)) return raw
  const [text, vision] = [raw.text_config, raw.vision_config]
  const rope = isRecord(text["rope_parameters"]) ? text["rope_parameters"] : undefined
  return {
    ...raw,
    llm_config: rope ? { ...text, rope_theta: rope["rope_theta"], rope_scaling: rope } : text,
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

const fileIn = (directory: string): string => join(directory, "config.json")

const readRaw = (file: string): Json => {
  let raw: unknown
  try {
    // Takes a byte order mark for no part of the text.
    raw = JSON.parse(new TextDecoder().decode(readFileSync(file)))
  } catch (error) {
    throw new ModelConfigInvalid({ file, reason: error instanceof Error ? error.message : String(error) })
  }
  if (isRecord(raw)) return raw
  throw new ModelConfigInvalid({ file, reason: "it is not a JSON object" })
}

/** Whose words config.json is in, and so whose names the code that it is for gives to tensors. Raises ModelConfigInvalid. */
export const readLayout = (directory: string): Layout =>
  isHuggingface(readRaw(fileIn(directory))) ? "huggingface" : "original"

/** Decodes config.json of `directory`. Raises ModelConfigInvalid, which names every missing and every wrong key. */
export const readModelConfig = (directory: string): ModelConfig => {
  const file = fileIn(directory)
  const raw = readRaw(file)
  try {
    return Schema.decodeUnknownSync(ModelConfig)(fromHuggingface(raw), { errors: "all", reportInput: true })
  } catch (error) {
    const reason = `not an InternVL3 config: ${error instanceof Error ? error.message : String(error)}`
    throw new ModelConfigInvalid({ file, reason })
  }
}
