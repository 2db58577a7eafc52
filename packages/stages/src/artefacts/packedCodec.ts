/** Packed weights among what a stage saves: described in its data, their parts as tensors of its file. */
import type { Safetensors } from "@speedq/formats"
import { describePacked, type PackedWeights, readPackedWeights } from "@speedq/quantizers"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Compute } from "../compute/Compute.ts"
import { Extensions } from "../extensions/Extensions.ts"
import { readingPacked } from "./readingSaved.ts"

export const Described = Schema.Record(Schema.String, Schema.JsonObject)

export const described = (packed: PackedWeights): typeof Described.Type =>
  describePacked(packed) as typeof Described.Type

/** The caller releases them; when one cannot be read, nothing stays allocated. */
export const loadPacked = Effect.fnUntraced(function* (
  weights: typeof Described.Type,
  { path, store }: Safetensors.Safetensors
) {
  const { backend } = yield* Compute
  const known = (yield* Extensions).quantizers
  return yield* readingPacked(path, () => readPackedWeights(backend, store, weights, known))
})
