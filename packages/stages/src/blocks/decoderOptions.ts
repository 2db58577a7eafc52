/** Options of stages that fit the decoder layer by layer: what calibrates, and what quantizes. */
import { option, requiredOption } from "@speedq/formats"
import { Compat, Count } from "@speedq/pipeline"
import { calibrationDefaults, RuleList } from "@speedq/quantizers"
import { Calibration } from "../calibration/calibration.ts"
import { EmbeddingConfig } from "../model/plannedLayers.ts"

/** `documents` is the default, and `source` where that comes from. */
export const decoderOptions = (documents: number, source: string) => ({
  compat: Compat,
  calibration: requiredOption(Calibration, {
    description:
      "Records that layers are fitted on: `{ meta, ... }` as in training, with their images. Or text: JSONL with `text` or `conversations`, or paragraphs."
  }),
  documents: option(Count, documents, {
    description:
      "Records, or documents of the text, that are used; fewer where there are fewer. More cost memory, disk and time.",
    unit: "documents",
    source
  }),
  longest: option(Count, calibrationDefaults.longest, {
    description: "Documents of text with more tokens are passed over. Records are not.",
    unit: "tokens",
    source: "the clipping search"
  }),
  block: option(Count, calibrationDefaults.block, {
    description: "Text is joined and cut into sequences of this length; a record is a sequence of its own.",
    unit: "tokens",
    source: "the clipping search"
  }),
  quantizers: requiredOption(RuleList, {
    description:
      "Rules that give the decoder's Linears their quantizers; the first that matches decides. `bilevel` and `uniform` can be fitted."
  }),
  embeddings: EmbeddingConfig
})
