/** Options of stage 1; defaults are BRECQ's (arXiv:2102.05426). */
import { laterOption, option } from "@speedq/formats"
import { Count } from "@speedq/pipeline"
import * as Schema from "effect/Schema"
import { blockOptions, roundingOptions } from "../blocks/roundingOptions.ts"
import { visionOptions } from "../blocks/visionOptions.ts"

export const AdaRoundVitConfig = Schema.Struct({
  ...visionOptions("AdaRound"),
  weighting: option(Schema.Literals(["none", "fisher"]), "none", {
    description:
      "How errors of a block's output count: all alike, or by `fisher`: by the gradient of the full-precision model's answer there. Fisher weights cost a forward and a backward pass of the whole model for each tile and block.",
    source: "none is BRECQ's plain error (arXiv:2102.05426); no gain of Fisher weights is measured yet"
  }),
  ...roundingOptions("tiles"),
  shards: laterOption(Count, 1, {
    description:
      "Parts that the tiles of an iteration are cut into, one after the other. Each part's gradients are summed by themselves, and these sums then one after the other: another number of parts gives slightly other numbers. With `asymmetric` inputs parts may be computed by several processes, to the same bits as by one.",
    unit: "parts of an iteration",
    source: "1, one sum over all tiles; docs/cluster.md"
  }),
  ...blockOptions("AdaRound")
})
export type AdaRoundVitConfig = typeof AdaRoundVitConfig.Type
