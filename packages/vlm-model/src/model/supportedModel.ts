/**
 * The gate that every command reads a config through: which models the network can compute, by the names that config.json gives
 * itself. What is not known is refused by its name, before a missing key or tensor says it in other words.
 */
import { isJsonObject, type JsonObject } from "../internal/jsonObject.ts"
import { type DecoderKind, decoderFamilies } from "./decoderFamilies.ts"

/** Names of a part of the model, and what the network computes it as. */
type Names<Meaning extends string = string> = { readonly [name: string]: Meaning }

const wholeNames: Names = {
  internvl_chat: "InternVL",
  internvl: "InternVL",
  InternVLChatModel: "InternVL",
  InternVLForConditionalGeneration: "InternVL"
}

const towerNames: Names = {
  intern_vit_6b: "InternViT",
  internvl_vision: "InternViT",
  InternVisionModel: "InternViT",
  InternVLVisionModel: "InternViT"
}

const decoderNames: Names<DecoderKind> = Object.fromEntries(
  Object.entries(decoderFamilies).flatMap(([kind, { calledBy }]) => calledBy.map((name) => [name, kind as DecoderKind]))
)

/** Names under `model_type` and `architectures`; a key that is absent, null or empty gives none. */
const namesOf = ({ model_type, architectures }: JsonObject): readonly string[] =>
  [...(Array.isArray(architectures) ? architectures : []), model_type].filter(
    (name): name is string => typeof name === "string" && name !== ""
  )

const listed = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ")

/** Raised by the checks; configFile makes a ModelConfigInvalid of it. */
export class Unsupported extends Error {}

/** What the names of a part mean; `absent` where it has none. Raises Unsupported for one that is not known, or for two that differ. */
const meaning = <Meaning extends string>(
  what: string,
  part: JsonObject,
  known: Names<Meaning>,
  absent: Meaning
): Meaning => {
  const names = namesOf(part)
  const unknown = names.filter((name) => !Object.hasOwn(known, name))
  if (unknown.length > 0) {
    throw new Unsupported(
      `its ${what} is ${listed(unknown)} (model_type, architectures), which this software does not compute; it knows ${listed(Object.keys(known))}`
    )
  }
  const meanings = [...new Set(names.map((name) => known[name]!))]
  if (meanings.length > 1)
    throw new Unsupported(`its ${what} has the names ${listed(names)}, which contradict each other`)
  return meanings[0] ?? absent
}

/** What a `quantization_config` calls its method. */
const methodOf = (quantization: unknown): string =>
  isJsonObject(quantization) && typeof quantization["quant_method"] === "string"
    ? `"${quantization["quant_method"]}"`
    : "of no named method"

export const alreadyQuantized = (where: string): Unsupported =>
  new Unsupported(
    `its weights are quantized already (${where}); give the full-precision model that it was made of, as the quantizers here start from that`
  )

interface Parts {
  readonly whole: JsonObject
  readonly tower: JsonObject
  readonly language: JsonObject
}

/**
 * The kind of the language model, a key of `decoderFamilies`: Qwen2 where the config gives it no name, as in transformers. Raises
 * Unsupported for a model that is another one, or whose weights are quantized.
 */
export const supportedDecoder = ({ whole, tower, language }: Parts): DecoderKind => {
  for (const part of [whole, language, tower]) {
    const quantization = part["quantization_config"] ?? undefined
    if (quantization !== undefined) throw alreadyQuantized(`quantization_config ${methodOf(quantization)}`)
  }
  meaning("model", whole, wholeNames, "InternVL")
  meaning("vision tower", tower, towerNames, "InternViT")
  return meaning("language model", language, decoderNames, "qwen2")
}
