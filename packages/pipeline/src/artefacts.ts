/** What SPEED-Q's stages hand to each other: a quantized vision tower, a trained projector, clipping ranges, a language model. */
import {
  decodeChoice,
  describePacked,
  encodeChoice,
  type PackedWeights,
  type Quantizer,
  type QuantizerChoice,
  quantizers,
  readPackedWeights
} from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Artefact from "./Artefact.ts"
import * as Codec from "./Codec.ts"
import { Compute } from "./compute/Compute.ts"
import { SavedFileDamaged } from "./Errors.ts"
import { owned, releasePacked, releaseParameters } from "./model/stageMemory.ts"
import { loadTensors, packedSources, tensorSources } from "./tensorCodec.ts"

/** Quantizers that recipes and files may name; provide it with more to add one's own. */
export const KnownQuantizers = Context.Reference<readonly Quantizer[]>("speedq/KnownQuantizers", {
  defaultValue: () => quantizers
})

/** Runs code that throws on a damaged file. */
const reading = <A>(file: string, read: () => A): Effect.Effect<A, SavedFileDamaged> =>
  Effect.try({
    try: read,
    catch: (error) => new SavedFileDamaged({ file, detail: error instanceof Error ? error.message : String(error) })
  })

const parametersCodec = Codec.make({
  data: Schema.Struct({}),
  save: (parameters: Parameters) => ({ data: {}, tensors: tensorSources("parameter", parameters) }),
  load: (_, tensors) =>
    owned(
      Effect.flatMap(Compute, ({ backend }) => loadTensors(backend, tensors, "parameter")),
      releaseParameters
    )
})

const Described = Schema.Record(Schema.String, Schema.JsonObject)

/** Weights of the ViT's Linears, packed, by parameter name. */
export const QuantizedVision = Artefact.make(
  "quantizedVision",
  "a vision tower with quantized weights",
  Codec.make({
    data: Schema.Struct({ weights: Described }),
    save: (weights: PackedWeights) => ({
      data: { weights: describePacked(weights) as typeof Described.Type },
      tensors: packedSources(weights)
    }),
    load: ({ weights }, { path, store }) =>
      Effect.gen(function* () {
        const { backend } = yield* Compute
        const known = yield* KnownQuantizers
        return yield* owned(
          reading(path, () => readPackedWeights(backend, store, weights, known)),
          releasePacked
        )
      })
  })
)

/** Full-precision parameters of the projector (mlp1), trained. */
export const TrainedProjector = Artefact.make(
  "projector",
  "a projector trained for the quantized vision tower",
  parametersCodec
)

/** Ranges [out, in / g] that the language model's weights are clamped to before training: `<layer>.min` and `<layer>.max`. */
export const ClippingRanges = Artefact.make(
  "clipping",
  "clipping ranges of the language model's Linears",
  parametersCodec
)

/** A language model trained under quantization: full-precision parameters, and what each weight is quantized with. */
export interface LanguageModel {
  /** Trained parameters by name, f32; embedding and head are not among them. */
  readonly parameters: Parameters
  /** Quantizer of each weight, embedding and head included, by parameter name; the others stay as they are. */
  readonly choices: ReadonlyMap<string, QuantizerChoice>
}

export const QuantizedLanguage = Artefact.make(
  "quantizedLanguage",
  "a language model trained under quantization",
  Codec.make({
    data: Schema.Struct({ choices: Described }),
    save: ({ parameters, choices }: LanguageModel) => ({
      data: {
        choices: Object.fromEntries(
          [...choices].map(([name, choice]) => [name, encodeChoice(choice)])
        ) as typeof Described.Type
      },
      tensors: tensorSources("parameter", parameters)
    }),
    load: ({ choices }, tensors) =>
      Effect.gen(function* () {
        const { backend } = yield* Compute
        const known = yield* KnownQuantizers
        const decoded = yield* reading(
          tensors.path,
          () =>
            new Map(
              Object.entries(choices).map(([name, choice]) => [
                name,
                decodeChoice(choice as unknown as { use: string }, known)
              ])
            )
        )
        const parameters = yield* owned(loadTensors(backend, tensors, "parameter"), releaseParameters)
        return { parameters, choices: decoded } satisfies LanguageModel
      })
  })
)
