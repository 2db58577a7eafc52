/** Rows of the embedding: input_ids [B, T] -> inputs_embeds [B, T, H]. */
import { embeddingLayerOf, type ModelConfig } from "@speedq/vlm-model"
import type { GraphParts } from "../protobuf/onnxMessages.ts"
import { type Place, rowsOf } from "../weights/layers.ts"

export const embedTokens = (place: Place, { llm_config: language }: ModelConfig): GraphParts => {
  rowsOf(place, embeddingLayerOf(language), "input_ids", "inputs_embeds")
  return place.graph.parts(
    "embed_tokens",
    [{ name: "input_ids", type: "i64", shape: ["batch_size", "sequence_length"] }],
    [{ name: "inputs_embeds", type: "f32", shape: ["batch_size", "sequence_length", language.hidden_size] }]
  )
}
