/** Rules as recipes write them in JSON, and the reference's mixed precision as one list of them. */
import * as Schema from "effect/Schema"
import { type Compatibility, withReferenceQuirks } from "../quantizer/compatibility.ts"
import type { Quantizer } from "../quantizer/Quantizer.ts"
import { decodeChoice, quantizers } from "../quantizer/registry.ts"
import type { Rule } from "./Rules.ts"

/** `{ match: "**.down_proj", use: "bilevel", with: { bits: 4, group: 32, scaleGroup: 128 } }` */
export const RuleSpec = Schema.Struct({
  /** Glob over dotted names, or /regex/. */
  match: Schema.NonEmptyString,
  tower: Schema.optionalKey(Schema.Literals(["vision", "projector", "language"])),
  layers: Schema.optionalKey(Schema.Literals(["linear", "embedding"])),
  use: Schema.NonEmptyString,
  with: Schema.optionalKey(Schema.JsonObject)
})
export type RuleSpec = typeof RuleSpec.Type

export interface DecodeRulesOptions {
  /** "reference" fills every option that a rule leaves open with the reference's quirk. Default "careful". */
  readonly compat?: Compatibility
  /** Quantizers that rules may name; add one's own. */
  readonly known?: readonly Quantizer[]
}

/** The rules that a recipe means. Raises UnknownQuantizer and QuantizerConfigInvalid. */
export const decodeRules = (
  specs: readonly RuleSpec[],
  { compat = "careful", known = quantizers }: DecodeRulesOptions = {}
): readonly Rule[] =>
  specs.map(({ use, with: options = {}, ...where }) => {
    const choice = { use, with: options }
    return { ...where, choice: decodeChoice(compat === "reference" ? withReferenceQuirks(choice) : choice, known) }
  })

/**
 * The reference's `mix_quant` (internvl3.md 6.4): attention and down projections at 4 bits in groups of 32, the other
 * decoder Linears (gate, up) as `rest` says, which also gives the second-level group of both.
 */
export const mixQuant = (rest: { readonly bits: 2 | 3; readonly group: number; readonly scaleGroup: number }) => {
  const wide = { bits: 4, group: 32, scaleGroup: rest.scaleGroup }
  return [
    { match: "/\\.(q_proj|k_proj|v_proj|o_proj|down_proj)$/", tower: "language", use: "bilevel", with: wide },
    { match: "**", tower: "language", use: "bilevel", with: { ...rest } }
  ] as const satisfies readonly RuleSpec[]
}
