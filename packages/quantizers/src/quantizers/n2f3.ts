/**
 * N2F3 (docs/method.md, "N2F3"): 3-bit codes of a fixed codebook, the quantiles of a normal distribution, with one
 * scale for the negative and one for the positive side of each group.
 *
 *   s- = max(-min w, 0),  s+ = max(max w, 0),  w' = s level(w / s), s the scale of w's side
 */
import { option, writtenAs } from "@speedq/formats"
import { codebookCodes, codebookDecode, codebookParameters, fakeQuantCodebook, scope } from "@speedq/tensors"
import * as Schema from "effect/Schema"
import { configure } from "../quantizer/configure.ts"
import { columnObstacle, groupSize } from "../quantizer/optionSchemas.ts"
import type { Quantizer, QuantizerChoice } from "../quantizer/Quantizer.ts"
import type { N2f3Options } from "../quantizer/quantizerOptions.ts"

export const N2f3Config = Schema.Struct({
  group: option(groupSize, 64, {
    description: "Input columns that share a scale for each sign.",
    unit: "columns",
    source: "the reference"
  })
})
export type N2f3Config = typeof N2f3Config.Type

/** Normal-float levels of 3 bits: as many below 0 as fit, 0, and one more above. */
const levels = [
  -1, -0.5350227355957031, -0.246931403875351, 0, 0.1833375245332718, 0.3819939494132996, 0.6229856610298157, 1
]
const bits = 3

export const n2f3Quantizer: Quantizer<N2f3Config> = {
  id: "n2f3",
  version: 1,
  rowwise: true,
  Config: writtenAs<N2f3Options>()(N2f3Config),
  bitsPerWeight: ({ group }) => bits + 64 / group,
  obstacle: ({ group }, shape) => columnObstacle(group, shape),
  fakeQuantize: ({ group }, weight) => scope(() => fakeQuantCodebook(weight, { group, levels })),
  // As the reference does, which searches every type of weight on the flat grid of its bits.
  searchedAs: ({ group }) => ({ bits, group }),
  stored: ({ group }, shape) => {
    const groups = [shape[0]!, shape[1]! / group]
    return [
      { name: "codes", dtype: "u8", shape, bits, meaning: "index of every weight's level, row-major" },
      { name: "negative", dtype: "f32", shape: groups, bits: 32, meaning: "scale of the levels below 0" },
      { name: "positive", dtype: "f32", shape: groups, bits: 32, meaning: "scale of the levels from 0 on" }
    ]
  },
  quantize: ({ group }, weight) =>
    scope(() => {
      const { negative, positive } = codebookParameters(weight, { group, levels })
      return { codes: codebookCodes(weight, negative, positive, { group, levels }), negative, positive }
    }),
  dequantize: ({ group }, { codes, negative, positive }) =>
    codebookDecode(codes!, negative!, positive!, { group, levels })
}

/** N2F3, for recipes in code. Raises QuantizerConfigInvalid. */
export const n2f3 = (options: N2f3Options = {}): QuantizerChoice<N2f3Config> => configure(n2f3Quantizer, options)
