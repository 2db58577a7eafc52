/**
 * No quantization: weights in bfloat16, as released checkpoints have them. A weight that trains is rounded to bfloat16
 * in every forward pass and the gradient passes, so that what is stored is what was trained.
 */
import { cast, scope } from "@speedq/tensors"
import * as Schema from "effect/Schema"
import type { Quantizer, QuantizerChoice } from "../quantizer/Quantizer.ts"

/** No options: a record of nothing, as an empty struct would take anything. */
export const NoneConfig = Schema.Record(Schema.String, Schema.Never)
export type NoneConfig = typeof NoneConfig.Type

export const noneQuantizer: Quantizer<NoneConfig> = {
  id: "none",
  version: 1,
  rowwise: true,
  Config: NoneConfig,
  bitsPerWeight: () => 16,
  obstacle: () => undefined,
  fakeQuantize: (_, weight) => scope(() => cast(cast(weight, "bf16"), "f32")),
  stored: (_, shape) => [
    { name: "values", dtype: "bf16", shape, bits: 16, meaning: "the weight, rounded to bfloat16" }
  ],
  quantize: (_, weight) => ({ values: cast(weight, "bf16") }),
  // Read from a file, the values are f32 already.
  dequantize: (_, { values }) => cast(values!, "f32")
}

/** Leaves a layer in bfloat16. */
export const none: QuantizerChoice<NoneConfig> = { quantizer: noneQuantizer, config: {} }
