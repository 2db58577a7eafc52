/** Which layer gets which quantizer: an ordered list of rules, the first match wins. */
import type { Shape } from "@speedq/tensors"
import { GroupSizeIndivisible, RuleUnused } from "../Errors.ts"
import { type QuantizerChoice, storedBytes } from "../quantizer/Quantizer.ts"
import { compilePattern } from "./Pattern.ts"

/** What a matrix does; rules speak of Linears unless they say otherwise. */
export type LayerKind = "linear" | "embedding"

/** A matrix that can be quantized: name without ".weight", shape [out, in]. */
export interface Layer {
  readonly name: string
  readonly shape: Shape
  readonly kind: LayerKind
  /** Part of the model it belongs to: "vision", "projector", "language". */
  readonly tower: string
}

export interface Rule {
  /** Glob (`**.down_proj`) or /regex/ over layer names. */
  readonly match: string
  readonly tower?: string
  /** Default "linear": embedding and head are quantized only by rules that ask for "embedding". */
  readonly layers?: LayerKind
  readonly choice: QuantizerChoice
}

/** What one layer gets. */
export interface PlannedLayer extends Layer {
  readonly choice: QuantizerChoice
  /** Index of the rule that decided. */
  readonly rule: number
  readonly bitsPerWeight: number
  readonly bytes: number
}

/** Bits of a weight that no rule quantizes. */
export const plainBits = 16

export interface Plan {
  readonly layers: readonly PlannedLayer[]
  /** Layers that no rule matched; they stay as they are. */
  readonly unmatched: readonly Layer[]
}

/** What a weight of this shape takes. */
export const costOf = (choice: QuantizerChoice, shape: Shape): Pick<PlannedLayer, "bitsPerWeight" | "bytes"> => ({
  bitsPerWeight: choice.quantizer.bitsPerWeight(choice.config),
  bytes: storedBytes(choice, shape)
})

interface Matcher {
  /** Whether the rule speaks of such layers at all. */
  readonly concerns: (layer: Layer) => boolean
  readonly matches: (layer: Layer) => boolean
}

const matcherOf = ({ match, layers = "linear", tower }: Rule): Matcher => {
  const named = compilePattern(match)
  const concerns = (layer: Layer) => layer.kind === layers && (tower === undefined || layer.tower === tower)
  return { concerns, matches: (layer) => concerns(layer) && named(layer.name) }
}

interface Decision {
  readonly layer: Layer
  /** Index of the first rule that matches, -1 for none. */
  readonly rule: number
}

/** Why a rule decides nothing. */
const unused = (
  rule: number,
  { match, tower, layers = "linear" }: Rule,
  { concerns, matches }: Matcher,
  decisions: readonly Decision[]
) => {
  const taken = decisions.filter(({ layer }) => matches(layer))
  return new RuleUnused({
    rule,
    match,
    matched: taken.length,
    takenBy: [...new Set(taken.map((decision) => decision.rule))].sort((a, b) => a - b),
    candidates: decisions.flatMap(({ layer }) => (concerns(layer) ? [layer.name] : [])).slice(0, 3),
    concerns: tower === undefined ? layers : `${tower} ${layers}`,
    decided: [...new Set(decisions.map(({ layer }) => `${layer.tower} ${layer.kind}`))]
  })
}

/**
 * Decides every layer. Raises PatternInvalid, RuleUnused (a rule that takes no layer) and GroupSizeIndivisible
 * (all layers that do not fit their quantizer) before any work.
 */
export const planLayers = (rules: readonly Rule[], layers: readonly Layer[]): Plan => {
  const matchers = rules.map(matcherOf)
  const decisions = layers.map(
    (layer): Decision => ({ layer, rule: matchers.findIndex(({ matches }) => matches(layer)) })
  )
  for (const [index, each] of rules.entries()) {
    if (!decisions.some(({ rule }) => rule === index)) throw unused(index, each, matchers[index]!, decisions)
  }
  const decided = decisions.filter(({ rule }) => rule >= 0)
  const offenders = decided.flatMap(({ layer: { name, shape }, rule }) => {
    const { quantizer, config } = rules[rule]!.choice
    const reason = quantizer.obstacle(config, shape)
    return reason === undefined ? [] : [{ layer: name, shape: [...shape], reason }]
  })
  if (offenders.length > 0) throw new GroupSizeIndivisible({ offenders })
  return {
    layers: decided.map(({ layer, rule }): PlannedLayer => {
      const { choice } = rules[rule]!
      return { ...layer, choice, rule, ...costOf(choice, layer.shape) }
    }),
    unmatched: decisions.flatMap(({ layer, rule }) => (rule < 0 ? [layer] : []))
  }
}

/** The quantizer of each planned layer, by layer name. */
export const choicesOf = (plan: Plan): ReadonlyMap<string, QuantizerChoice> =>
  new Map(plan.layers.map(({ name, choice }) => [name, choice]))
