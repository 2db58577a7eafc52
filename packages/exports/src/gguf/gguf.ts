/**
 * "gguf": the language model and the vision tower with the projector as two files for llama.cpp and what is built on it. Codes are kept
 * where a type of ggml has their grid; the certificate says how far the weights in these types are from those of the model.
 */
import { join } from "node:path"
import { option } from "@speedq/formats"
import { sizeOf } from "@speedq/tensors"
import type { ModelDirectory, TokenizerParts } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExportNotWritten } from "../Errors.ts"
import { copyCompanions } from "../exporter/companions.ts"
import type { Exporter } from "../exporter/Exporter.ts"
import { packedLayersOf } from "../exporter/Holding.ts"
import { layersAsNumbers } from "../model/layersAsNumbers.ts"
import { chooseFallback, holdingOf } from "./chooseType.ts"
import { type Metadata, u32 } from "./metadata.ts"
import { refusal } from "./refusal.ts"
import { ggufTensors } from "./tensors.ts"
import { textMetadata } from "./textMetadata.ts"
import { tokenizerMetadata } from "./tokenizerMetadata.ts"
import { visionMetadata } from "./visionMetadata.ts"
import { blockBytes, type GgufTensor, writeGguf } from "./writeGguf.ts"

export const GgufConfig = Schema.Struct({
  fallback: option(Schema.Literals(["auto", "Q3_K", "Q8_0", "F16"]), "auto", {
    description:
      "Type of weights whose grid no type of GGUF has, such as 2 bits in groups of 16. `Q3_K` keeps their codes and rounds their scales; layers whose rows are no multiple of 256, and those of other bits, get `Q8_0`. `auto` is `Q3_K` where it fits all layers of 2 bits, as in InternVL3-2B, and else `Q8_0`.",
    source: "one type for all of them: the smaller one, where it can be"
  }),
  rollPositions: option(Schema.Boolean, true, {
    description:
      "Moves the class token's row of the position embedding behind all others, as llama.cpp adds it to the last token. Turn it off for a version that does not.",
    source: "llama.cpp b10257, measured by first-token probabilities"
  })
})
export type GgufConfig = typeof GgufConfig.Type

/** Words and merges, at most: 5 MB for 151,674 tokens. A token takes fewer bytes than its row of the embedding has weights. */
const metadataBytes = (parameters: number): number => Math.min(2 ** 24, parameters)

/** The file type that stands for most of the weights. */
const fileType = (tensors: readonly GgufTensor[]): number => {
  const weights = new Map<number, number>()
  for (const { type, shape } of tensors) weights.set(type.fileType, (weights.get(type.fileType) ?? 0) + sizeOf(shape))
  return [...weights].reduce((most, each) => (each[1] > most[1] ? each : most))[0]
}

/** Metadata of both files: what they are first, then what they hold. */
const metadataOf = (own: Metadata, tensors: readonly GgufTensor[]): Metadata => ({
  ...own,
  "general.file_type": u32(fileType(tensors)),
  "general.quantization_version": u32(2)
})

const filesOf = (
  directory: ModelDirectory,
  parts: TokenizerParts,
  { text, vision }: ReturnType<typeof ggufTensors>
) => [
  {
    name: "model.gguf",
    tensors: text,
    metadata: { ...textMetadata(directory.config), ...tokenizerMetadata(directory, parts) }
  },
  { name: "mmproj.gguf", tensors: vision, metadata: visionMetadata(directory) }
]

export const ggufExporter: Exporter<GgufConfig> = {
  id: "gguf",
  version: 1,
  description: "two files for llama.cpp, model.gguf and mmproj.gguf; keeps codes where GGUF has their grid",
  Config: GgufConfig,
  checkedBy: ["llama.cpp b10257"],
  directoryName: ({ fallback, rollPositions }) =>
    ["gguf", ...(fallback === "auto" ? [] : [fallback.toLowerCase()]), ...(rollPositions ? [] : ["unrolled"])].join(
      "-"
    ),
  refusal: (_, model) => refusal(model),
  holds: ({ fallback }, layers) => {
    const chosen = chooseFallback(fallback, layers)
    return layers.map((layer) => holdingOf(layer, chosen))
  },
  bytes: (_, { parameters, checkpointBytes }) =>
    Math.max(checkpointBytes, Math.ceil(2.25 * parameters)) + metadataBytes(parameters),
  write: Effect.fnUntraced(function* ({ fallback, rollPositions }, model) {
    const { directory, deployed, source } = model
    const failed = (cause: unknown, fix?: string) =>
      new ExportNotWritten({ directory, cause, ...(fix === undefined ? {} : { fix }) })
    const companions = yield* copyCompanions(source.directory.directory, directory, {
      isWanted: (name) => /^(README|LICENSE|NOTICE)/.test(name)
    })
    const parts = source.directory.tokenizer.parts()
    if (parts === undefined) return yield* failed("its tokenizer is no byte-level BPE", "choose hf or fake-quant")
    const layers = packedLayersOf(deployed.packed, source.directory.config)
    const tensors = ggufTensors(model, { fallback: chooseFallback(fallback, layers), rollPositions })
    const files = []
    for (const { name, metadata, tensors: own } of filesOf(source.directory, parts, tensors)) {
      const written = yield* Effect.mapError(
        writeGguf(join(directory, name), metadataOf(metadata, own), own),
        (cause) => failed(cause)
      )
      files.push({ ...written, file: name })
    }
    const [tooLarge] = tensors.tooLarge()
    if (tooLarge !== undefined) {
      return yield* failed(
        `${tooLarge} has numbers that its type of GGUF does not hold`,
        'check the checkpoint, or leave this layer as it is by a rule with "none"'
      )
    }
    const bytes = [...tensors.text, ...tensors.vision].reduce((sum, tensor) => sum + blockBytes(tensor), 0)
    const layersFallenBack = [...tensors.fallenBack, ...layersAsNumbers(deployed)]
    return { files: [...files, ...companions], bytes, ...tensors.difference(), layersFallenBack }
  })
}
