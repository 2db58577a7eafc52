/** The reference's quirks that concern quantization (docs/quirks.md), as options of the quantizers. */
import type { ChoiceSpec } from "./registry.ts"

/** How a recipe wants what it leaves open: with care, or as the reference does it. */
export type Compatibility = "careful" | "reference"

/**
 * What `compat: "reference"` sets where a recipe does not: quirks 3, 5 and 10. (Quirk 4, the grid of the embedding, is
 * kept by default; quirk 11, zero points that are not computed again, is part of the format.)
 */
export const referenceQuirks: { readonly [quantizer: string]: object } = {
  bilevel: { secondLevel: "f32", commonScale: "reference", arithmetic: "bf16" },
  "embedding-sym4": { grid: "reference", requantizePasses: 3, scale: "f16", arithmetic: "f16" }
}

/** Who sees the embedding and head: the stage that trains the projector, those that work on the language model, and the result. */
export type EmbeddingReader = "projector" | "language" | "result"

/**
 * Quirk 3 before the result: the reference quantizes embedding and head when stage 2 starts, again when stage 3 starts (which clips and
 * trains with them), and once more when it exports, which makes the three passes above.
 */
const quirksBefore: { readonly [reader in EmbeddingReader]: typeof referenceQuirks } = {
  projector: { "embedding-sym4": { requantizePasses: 1 } },
  language: { "embedding-sym4": { requantizePasses: 2 } },
  result: {}
}

/** The same for the clipping search: quirk 5, errors that are rounded to bfloat16 before they are compared. */
export const referenceClipping = { arithmetic: "bf16" } as const

/** A recipe's choice with the reference's behaviour for every option that it leaves open, as a reader sees it. */
export const withReferenceQuirks = <C extends ChoiceSpec>(choice: C, reader: EmbeddingReader = "result"): C => ({
  ...choice,
  with: { ...referenceQuirks[choice.use], ...quirksBefore[reader][choice.use], ...choice.with }
})
