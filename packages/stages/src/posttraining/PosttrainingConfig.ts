/** Options of stages that quantize block after block on calibration records. */
import { option, optionalOption, requiredOption } from "@speedq/formats"
import { Compat, Count } from "@speedq/pipeline"
import * as Schema from "effect/Schema"
import { EmbeddingConfig } from "../model/plannedLayers.ts"
import { DataConfig } from "../training/TrainingConfig.ts"

export const PosttrainingConfig = Schema.Struct({
  compat: Compat,
  calibration: requiredOption(DataConfig, {
    description: "Records of images and text that the model is shown, as in training. They are taken in a seeded order."
  }),
  samples: option(Count, 128, {
    description: "Records that are used. More cost memory and time.",
    unit: "records",
    source: "GPTQ (arXiv:2210.17323) and AWQ (arXiv:2306.00978), which take 128 segments of text"
  }),
  modalities: optionalOption(Schema.Literals(["equal", "balanced"]), {
    description:
      "How tokens count when the error of a decoder layer's output is measured: all alike, or `balanced`: tokens of pictures and of text by how much the full-precision model's cross entropy depends on each, which costs a forward and a backward pass of every record.",
    source: "equal, as in GPTQ and AWQ; balanced is after MBQ (arXiv:2412.19509)"
  }),
  embeddings: EmbeddingConfig,
  cache: option(Schema.ByteSizeFromString, "2 GiB", {
    description: "Memory for tiles before a vision block; what does not fit goes to a file of the stage's directory.",
    unit: "bytes, as in 512 MiB",
    source: "chosen here for a laptop; results do not depend on it",
    policy: true
  })
})
export type PosttrainingConfig = typeof PosttrainingConfig.Type
