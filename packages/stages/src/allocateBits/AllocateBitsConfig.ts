/** Options of the allocation of bits. */
import { option, requiredOption } from "@speedq/formats"
import { Compat, Count } from "@speedq/pipeline"
import { type RuleInput, RuleList, type RuleSpec } from "@speedq/quantizers"
import * as Schema from "effect/Schema"
import { DataConfig } from "../training/TrainingConfig.ts"
import { Budget } from "./budget.ts"

/** Lists of rules. In JSON each may stand as a scheme of the recipe, by name. */
const Candidates = Schema.NonEmptyArray(RuleList).annotate({
  schemes: "each",
  inCode: "readonly (readonly RuleInput[])[]"
}) as unknown as Schema.Codec<readonly (readonly RuleSpec[])[], readonly (readonly RuleInput[])[]>

export const AllocateBitsConfig = Schema.Struct({
  compat: Compat,
  budget: requiredOption(Budget, {
    description:
      "What the weights that `candidates` name may take together: bits a weight on average, scales included, as `2.3 bits`, or a size, as `300 MB`."
  }),
  candidates: requiredOption(Candidates, {
    description:
      "What there is to choose from: lists of rules, or schemes of the recipe by name. All are about the same Linears of transformer blocks, in the vision tower, the language model, or both."
  }),
  unit: option(Schema.Literals(["block", "layer"]), "block", {
    description:
      "What gets its bits together: a `block`, the Linears of a transformer block, or each `layer`. Each is measured with every candidate: layers take four to seven times as long as blocks.",
    source: "chosen here: the least time"
  }),
  data: requiredOption(DataConfig, {
    description: "Records whose answers the divergences are measured on, with pictures where the tower is quantized."
  }),
  records: option(Count, 32, {
    description: "Records that are used, the first in an order drawn with the recipe's seed.",
    unit: "records",
    source: "chosen here"
  })
})
export type AllocateBitsConfig = typeof AllocateBitsConfig.Type
