/** Rules as recipes write them: in JSON, and in code as values whose options the compiler checks. */
import { optionalOption, requiredOption } from "@speedq/formats"
import * as Schema from "effect/Schema"
import { type Compatibility, withReferenceQuirks } from "../quantizer/compatibility.ts"
import type { Quantizer, QuantizerChoice } from "../quantizer/Quantizer.ts"
import type {
  BilevelOptions,
  EmbeddingSym4Options,
  FlatAsymmetricOptions,
  N2f3Options,
  RuleTarget,
  UniformOptions
} from "../quantizer/quantizerOptions.ts"
import { decodeChoice, encodeChoice, quantizers } from "../quantizer/registry.ts"
import type { Rule } from "./Rules.ts"

/**
 * The options of each quantizer by its id, as JSON has them. A quantizer from outside adds its own by declaration merging:
 * `declare module "@speedq/quantizers" { interface QuantizerOptions { mine: { bits: 2 } } }`.
 */
export interface QuantizerOptions {
  bilevel: BilevelOptions
  uniform: UniformOptions
  "int2-asym": FlatAsymmetricOptions
  "int3-asym": FlatAsymmetricOptions
  n2f3: N2f3Options
  "embedding-sym4": EmbeddingSym4Options
  none: Readonly<Record<never, never>>
}

/** `with` may be left out where every option has a default. */
interface NamedQuantizer<Id> {
  /** Name of the quantizer. */
  readonly use: Id
}
interface OptionalOptions<Options> {
  /** Options of the quantizer. */
  readonly with?: Options
}
type Named<Id, Options> = NamedQuantizer<Id> &
  (object extends Options ? OptionalOptions<Options> : Required<OptionalOptions<Options>>)

/** A quantizer that this build knows, with its options. */
export type KnownChoice = { [Id in keyof QuantizerOptions]: Named<Id, QuantizerOptions[Id]> }[keyof QuantizerOptions]

declare const checked: unique symbol

/** A quantizer with its options from a value of the quantizer: what `rule` and `choice` make. */
export interface CheckedChoice {
  readonly [checked]: true
}

/** A quantizer as code names it: a misspelt name or option does not compile. */
export type ChoiceInput = KnownChoice | CheckedChoice

/** Which layers a rule speaks of, besides its pattern. */
export type RuleScope = Pick<RuleTarget, "tower" | "layers">

/** A rule as code writes it: pattern, layers, quantizer, options. */
export type RuleInput = ChoiceInput & RuleTarget

const choiceFields = {
  use: requiredOption(Schema.NonEmptyString, { description: "Name of the quantizer." }),
  with: optionalOption(Schema.JsonObject, { description: "Options of the quantizer." })
}
const ChoiceFields = Schema.Struct(choiceFields).annotate({ inCode: "ChoiceInput" })

/** `{ use: "bilevel", with: { bits: 4, group: 32, scaleGroup: 128 } }` */
export type QuantizerSpec = typeof ChoiceFields.Type
export const QuantizerSpec = ChoiceFields as unknown as Schema.Codec<QuantizerSpec, ChoiceInput>

const RuleFields = Schema.Struct({
  match: requiredOption(Schema.NonEmptyString, {
    description:
      "Layers that the rule is for: a glob over dotted names, as `**.down_proj`, or a regular expression between slashes, as `/q_proj$/` (the syntax of RE2: no lookaround, no references back)."
  }),
  tower: optionalOption(Schema.Literals(["vision", "projector", "language"]), {
    description: "Only layers of this part of the model."
  }),
  layers: optionalOption(Schema.Literals(["linear", "embedding"]), {
    description:
      "`linear`, the default, or `embedding`: the token embedding and the output head, which only rules that say so quantize."
  }),
  ...choiceFields
})

/** `{ match: "**.down_proj", use: "bilevel", with: { bits: 4, group: 32, scaleGroup: 128 } }` */
export type RuleSpec = typeof RuleFields.Type
export const RuleSpec = RuleFields as unknown as Schema.Codec<RuleSpec, RuleInput>

/** Rules of a stage, the first that matches a layer decides. In JSON they may stand as schemes of the recipe, by name. */
export const RuleList = Schema.NonEmptyArray(RuleFields).annotate({
  schemes: true,
  inCode: "readonly RuleInput[]"
}) as unknown as Schema.Codec<readonly RuleSpec[], readonly RuleInput[]>

/** Rules that may be none. */
export const OptionalRules = Schema.Array(RuleFields).annotate({
  schemes: true,
  inCode: "readonly RuleInput[]"
}) as unknown as Schema.Codec<readonly RuleSpec[], readonly RuleInput[]>

/**
 * A quantizer as stages take it, out of a value such as `bilevel({ bits: 2, group: 16, scaleGroup: 16 })`, or
 * `configure(mine, options)` of a quantizer from outside. Options that were left open stay open, for `compat` to decide.
 */
export const choice = <C extends object>(value: QuantizerChoice<C>): CheckedChoice => {
  const use = value.quantizer.id
  const options = value.written ?? (encodeChoice(value as unknown as QuantizerChoice).with as object)
  return (Object.keys(options).length === 0 ? { use } : { use, with: options }) as object as CheckedChoice
}

/**
 * A rule: layers that match get the quantizer.
 *
 * @example
 * const scheme = [rule("**.down_proj", bilevel({ bits: 4, group: 32, scaleGroup: 128 })), rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))]
 */
export const rule = <C extends object>(match: string, value: QuantizerChoice<C>, scope: RuleScope = {}): RuleInput => ({
  match,
  ...scope,
  ...choice(value)
})

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
    const spec = { use, with: options }
    return { ...where, choice: decodeChoice(compat === "reference" ? withReferenceQuirks(spec) : spec, known) }
  })

/**
 * The reference's `mix_quant` (docs/method.md, "Mixed precision"): attention and down projections at 4 bits in groups
 * of 32, the other decoder Linears (gate, up) as `rest` says, which also gives the second-level group of both.
 */
export const mixQuant = (rest: { readonly bits: 2 | 3; readonly group: number; readonly scaleGroup: number }) => {
  const wide = { bits: 4, group: 32, scaleGroup: rest.scaleGroup } as const
  return [
    {
      match: "/\\.(q_proj|k_proj|v_proj|wqkv|o_proj|wo|down_proj|w2)$/",
      tower: "language",
      use: "bilevel",
      with: wide
    },
    { match: "**", tower: "language", use: "bilevel", with: { ...rest } }
  ] as const satisfies readonly RuleInput[]
}
