/** No quantization: the weight stays as it is and is stored in bfloat16, as released checkpoints are. */
import { cast } from "@speedq/tensors"
import * as Schema from "effect/Schema"
import type { Quantizer, QuantizerChoice } from "../Quantizer.ts"

export const NoneConfig = Schema.Struct({})
export type NoneConfig = typeof NoneConfig.Type

export const noneQuantizer: Quantizer<NoneConfig> = {
  id: "none",
  version: 1,
  Config: NoneConfig,
  bitsPerWeight: () => 16,
  obstacle: () => undefined,
  fakeQuantize: (_, weight) => weight,
  stored: (_, shape) => [
    { name: "values", dtype: "bf16", shape, bits: 16, meaning: "the weight, rounded to bfloat16" }
  ],
  quantize: (_, weight) => ({ values: cast(weight, "bf16") }),
  dequantize: (_, { values }) => cast(values!, "f32")
}

/** Leaves a layer as it is. */
export const none: QuantizerChoice<NoneConfig> = { quantizer: noneQuantizer, config: {} }
