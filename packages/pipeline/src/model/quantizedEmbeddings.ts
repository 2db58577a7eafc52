/** Embedding and head at 4 bits: quantized once from the original weights and frozen from stage 2 on (internvl3.md 6.7). */
import { decodeChoice, type Quantizer, type QuantizerChoice } from "@speedq/quantizers"
import { cast, noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { QuantizerSpec } from "./QuantizerSpec.ts"

/** Quantizer of embedding and head; null leaves them as they are. */
export const EmbeddingConfig = Schema.NullOr(QuantizerSpec).pipe(
  Schema.withDecodingDefaultKey(Effect.succeed({ use: "embedding-sym4" }))
)
export type EmbeddingConfig = typeof EmbeddingConfig.Type

/** Parameter names of the token embedding and the head. */
export const embeddingName = "language_model.model.embed_tokens.weight"
export const headName = "language_model.lm_head.weight"

/** The choice for both matrices; empty when they stay as they are. Raises UnknownQuantizer and QuantizerConfigInvalid. */
export const embeddingChoices = (
  spec: EmbeddingConfig,
  known: readonly Quantizer[]
): ReadonlyMap<string, QuantizerChoice> => {
  if (spec === null) return new Map()
  const choice = decodeChoice(spec, known)
  return new Map([embeddingName, headName].map((name) => [name, choice]))
}

/** Both matrices after quantization, in the caller's scope. */
export const quantizedEmbeddings = (weights: Parameters, choices: ReadonlyMap<string, QuantizerChoice>): Parameters =>
  noGrad(() =>
    Object.fromEntries(
      [...choices].map(([name, { quantizer, config }]): readonly [string, Tensor] => [
        name,
        scope(() => quantizer.fakeQuantize(config, cast(weights[name]!, "f32")))
      ])
    )
  )
