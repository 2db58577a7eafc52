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

/** The same for the clipping search: quirk 5, errors that are rounded to bfloat16 before they are compared. */
export const referenceClipping = { arithmetic: "bf16" } as const

/** A recipe's choice with the reference's behaviour for every option that it leaves open. */
export const withReferenceQuirks = <C extends ChoiceSpec>(choice: C): C => ({
  ...choice,
  with: { ...referenceQuirks[choice.use], ...choice.with }
})
