/** What SPEED-Q's stages hand to each other: quantizers of layers, a quantized vision tower, a trained projector, clipping ranges, a language model. */
import { type LanguageModel, releasePacked, releaseParameters, type VisionTower } from "@speedq/exports"
import { layerOf, parameterOf, type Safetensors } from "@speedq/formats"
import { Artefact, Codec } from "@speedq/pipeline"
import { encodeChoice, readChoice, WrittenChoice } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Compute } from "../compute/Compute.ts"
import { Extensions } from "../extensions/Extensions.ts"
import type { Choices } from "../model/plannedLayers.ts"
import { owned } from "../model/stageMemory.ts"
import { Described, described, loadPacked } from "./packedCodec.ts"
import { readingPacked } from "./readingSaved.ts"
import { loadTensors, packedSources, tensorSources } from "./tensorCodec.ts"

const parametersCodec = Codec.make({
  data: Schema.Struct({}),
  save: (parameters: Parameters) => ({ data: {}, tensors: tensorSources("parameter", parameters) }),
  load: (_, tensors) =>
    owned(
      Effect.flatMap(Compute, ({ backend }) => loadTensors(backend, tensors, "parameter", "weights")),
      releaseParameters
    )
})

/** Quantizers by the names of their parameters. */
const WrittenChoices = Schema.Record(Schema.String, WrittenChoice)

const writeChoices = (choices: Choices): typeof WrittenChoices.Type =>
  Object.fromEntries([...choices].map(([layer, choice]) => [parameterOf(layer), encodeChoice(choice) as WrittenChoice]))

const loadChoices = Effect.fnUntraced(function* (
  written: typeof WrittenChoices.Type,
  { path }: Safetensors.Safetensors
) {
  const known = (yield* Extensions).quantizers
  const read = (): Choices =>
    new Map(Object.entries(written).map(([name, choice]) => [layerOf(name), readChoice(path, choice, known)]))
  return yield* readingPacked(path, read)
})

/** The quantizer of each layer, chosen by measurement: it goes before the rules of later stages. */
export const Allocation = Artefact.make(
  "allocation",
  "quantizers of layers, chosen under a budget",
  Codec.make({
    data: WrittenChoices,
    save: (choices: Choices) => ({ data: writeChoices(choices), tensors: [] }),
    load: loadChoices
  })
)

const ownPacked = (weights: typeof Described.Type, file: Safetensors.Safetensors) =>
  owned(loadPacked(weights, file), releasePacked)

/** The ViT: weights of its Linears, packed, and what was given as numbers. */
export const QuantizedVision = Artefact.make(
  "quantizedVision",
  "a vision tower with quantized weights",
  Codec.make({
    data: Schema.Struct({ weights: Described }),
    save: ({ packed, values }: VisionTower) => ({
      data: { weights: described(packed) },
      tensors: [...packedSources(packed), ...tensorSources("parameter", values)]
    }),
    load: ({ weights }, tensors) =>
      Effect.gen(function* () {
        const { backend } = yield* Compute
        const packed = yield* ownPacked(weights, tensors)
        const values = yield* owned(loadTensors(backend, tensors, "parameter", "weights"), releaseParameters)
        return { packed, values } satisfies VisionTower
      })
  })
)

/** Full-precision parameters of the projector (mlp1), trained. */
export const TrainedProjector = Artefact.make(
  "projector",
  "a projector trained for the quantized vision tower",
  parametersCodec
)

/** Ranges [out, in / g] that the language model's weights are clipped to before training: `LAYER.min` and `LAYER.max`. */
export const ClippingRanges = Artefact.make(
  "clipping",
  "clipping ranges of the language model's Linears",
  parametersCodec
)

export const QuantizedLanguage = Artefact.make(
  "quantizedLanguage",
  "a language model with quantized weights",
  Codec.make({
    data: Schema.Struct({
      choices: WrittenChoices,
      weights: Schema.optionalKey(Described)
    }),
    save: ({ parameters, choices, packed = new Map() }: LanguageModel) => ({
      data: {
        choices: writeChoices(choices),
        ...(packed.size === 0 ? {} : { weights: described(packed) })
      },
      tensors: [...packedSources(packed), ...tensorSources("parameter", parameters)]
    }),
    load: ({ choices, weights = {} }, tensors) =>
      Effect.gen(function* () {
        const { backend } = yield* Compute
        const decoded = yield* loadChoices(choices, tensors)
        const packed = yield* ownPacked(weights, tensors)
        const parameters = yield* owned(loadTensors(backend, tensors, "parameter", "weights"), releaseParameters)
        const model: LanguageModel = { parameters, choices: decoded, packed }
        return model
      })
  })
)
