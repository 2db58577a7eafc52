/** Options of Block-AP beside those of what it is done to; defaults are EfficientQAT's (arXiv:2407.11062). */
import { efficientQatDefaults } from "@speedq/adaround"
import { option, optionalOption } from "@speedq/formats"
import { Count, Rate } from "@speedq/pipeline"
import * as Schema from "effect/Schema"
import { blockOptions } from "../blocks/roundingOptions.ts"

export const efficientQat = "EfficientQAT (arXiv:2407.11062)"

/** `samples` are what a mini-batch is made of, `block` what is trained at a time: "records", "layer". */
export const trainingOptions = (
  samples: string,
  block: string,
  { batch, source }: { readonly batch: number; readonly source: string }
) => ({
  epochs: option(Count, efficientQatDefaults.epochs, {
    description: `Passes over the ${samples}, for each ${block}.`,
    unit: "epochs",
    source: efficientQat
  }),
  batch: option(Count, batch, {
    description: `${samples[0]!.toUpperCase()}${samples.slice(1)} of one iteration.`,
    unit: samples,
    source
  }),
  learningRate: optionalOption(Rate, {
    description: `Adam's rate for the weights, at the beginning of each ${block}; it falls to a twentieth. Small models need a larger one.`,
    source: `2e-5 at 2 bits and 1e-5 at more, as ${efficientQat}`
  }),
  grids: optionalOption(Schema.Literals(["follow", "learned"]), {
    description: "Scales and zero points of the groups `follow` the weights, or are `learned` beside them.",
    source: `learned with \`uniform\`, as ${efficientQat}; follow with \`bilevel\`, whose groups share what is stored of their scales`
  }),
  gridRate: option(Rate, efficientQatDefaults.gridRate, {
    description: "Adam's rate for scales and zero points, where they are learned.",
    source: efficientQat
  }),
  ...blockOptions("Block-AP")
})
