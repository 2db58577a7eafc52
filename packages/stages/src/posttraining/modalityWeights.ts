/**
 * How much tokens of pictures and of text count when the error of a layer's output is measured: by modality, after MBQ
 * (Modality-Balanced Quantization, arXiv:2412.19509; docs/method.md, "Modality-balanced errors").
 *
 *   s_m = mean over tokens of modality m, and over H, of |dL/dY|      Y: what attention or the MLP of a decoder layer adds, [T, H]
 *   w_m = s_m N / (N_vision s_vision + N_language s_language)          of mean 1 over all N tokens
 *
 * L is the full-precision model's cross entropy on the answers of the calibration records.
 */
import { formatNumber, type Report } from "@speedq/pipeline"
import type { RowFactors } from "@speedq/quantizers"
import { type LanguageConfig, layerNames } from "@speedq/vlm-model"
import * as Schema from "effect/Schema"
import type { Sequences } from "../calibration/sequences.ts"
import type { Branch } from "./branchGradients.ts"

const ByModality = Schema.Struct({ vision: Schema.Number, language: Schema.Number })
export type ByModality = typeof ByModality.Type

/** What was measured, as the stage's state keeps it. */
export const Sensitivities = Schema.Struct({
  /** Tokens of all calibration records. */
  tokens: ByModality,
  /** s of each decoder layer; 0 for vision where no record has a picture. */
  layers: Schema.Array(Schema.Struct({ attention: ByModality, mlp: ByModality }))
})
export type Sensitivities = typeof Sensitivities.Type

export const modalities = ["vision", "language"] as const

/** Weights of mean 1 over the tokens. Where no output of a branch moves the loss, tokens count alike. */
export const weightsOfTokens = (sensitivity: ByModality, tokens: ByModality): ByModality => {
  const of = (m: (typeof modalities)[number]) => tokens[m] * sensitivity[m]
  const mean = (of("vision") + of("language")) / (tokens.vision + tokens.language)
  if (mean === 0) return { vision: 1, language: 1 }
  return { vision: sensitivity.vision / mean, language: sensitivity.language / mean }
}

/** Roots of the weights of rows, `visual` saying which are of pictures. */
const rootsOf = ({ vision, language }: ByModality, visual: Uint8Array): Float32Array => {
  const [ofText, ofPicture] = [Math.sqrt(language), Math.sqrt(vision)]
  return Float32Array.from(visual, (isVisual) => (isVisual ? ofPicture : ofText))
}

/** The branch that a Linear of decoder layer `index` is a part of. */
const branchOf = (language: LanguageConfig, index: number, layer: string): Branch => {
  const { gate, up, down } = layerNames(language, index)
  return [gate, up, down].includes(layer) ? "mlp" : "attention"
}

/** Roots of the weights of all rows that Linears of decoder layer `index` read, out of what was measured. */
export const rowFactorsOf = (
  { tokens, layers }: Sensitivities,
  language: LanguageConfig,
  index: number,
  { hidden, visual = new Uint8Array(hidden.shape[0]!) }: Sequences
): RowFactors => {
  const roots = (branch: Branch) => rootsOf(weightsOfTokens(layers[index]![branch], tokens), visual)
  const factors = { attention: roots("attention"), mlp: roots("mlp") }
  return (layer) => factors[branchOf(language, index, layer)]
}

/** What the report says of it. */
export const sensitivitySection = ({ tokens, layers }: Sensitivities): Report.Section => ({
  _tag: "Table",
  title: "Sensitivity by modality",
  columns: ["decoder layer", "branch", "vision", "language", "weight of vision", "weight of language"],
  rows: layers.flatMap((layer, index) =>
    (["attention", "mlp"] as const).map((branch) => {
      const weights = weightsOfTokens(layer[branch], tokens)
      const numbers = [...modalities.map((m) => layer[branch][m]), ...modalities.map((m) => weights[m])]
      return [index, branch, ...numbers.map((each) => formatNumber(each))]
    })
  ),
  note: `Mean absolute gradient of the cross entropy at what attention or the MLP adds, over the ${tokens.vision} tokens of pictures and the ${tokens.language} of text; weights have the mean 1 over all tokens (MBQ, arXiv:2412.19509).`
})
