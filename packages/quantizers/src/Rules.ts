/** Which layer gets which quantizer: an ordered list of rules, the first match wins. */
import type { Shape } from "@speedq/tensors"
import { GroupSizeIndivisible, RuleUnused } from "./Errors.ts"
import { compilePattern } from "./Pattern.ts"
import { type QuantizerChoice, storedBytes } from "./Quantizer.ts"

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

export interface Plan {
  readonly layers: readonly PlannedLayer[]
  /** Layers that no rule matched; they stay as they are. */
  readonly unmatched: readonly Layer[]
}

const matcherOf = (rule: Rule): ((layer: Layer) => boolean) => {
  const matches = compilePattern(rule.match)
  const { layers = "linear", tower } = rule
  return (layer) => layer.kind === layers && (tower === undefined || layer.tower === tower) && matches(layer.name)
}

/**
 * Decides every layer. Raises PatternInvalid, RuleUnused (a rule that takes no layer) and GroupSizeIndivisible
 * (all layers that do not fit their quantizer) before any work.
 */
export const planLayers = (rules: readonly Rule[], layers: readonly Layer[]): Plan => {
  const matchers = rules.map(matcherOf)
  const decided = layers.map((layer) => ({ layer, rule: matchers.findIndex((matches) => matches(layer)) }))
  for (const [index, rule] of rules.entries()) {
    if (decided.some((decision) => decision.rule === index)) continue
    const free = decided.filter((decision) => decision.rule < 0 || decision.rule > index)
    const candidates = free.slice(0, 3).map(({ layer }) => layer.name)
    throw new RuleUnused({ rule: index, match: rule.match, candidates })
  }
  const planned = decided.flatMap(({ layer, rule }): readonly PlannedLayer[] => {
    if (rule < 0) return []
    const { choice } = rules[rule]!
    const { quantizer, config } = choice
    const bytes = quantizer.obstacle(config, layer.shape) === undefined ? storedBytes(choice, layer.shape) : 0
    return [{ ...layer, choice, rule, bitsPerWeight: quantizer.bitsPerWeight(config), bytes }]
  })
  const offenders = planned.flatMap(({ name, shape, choice: { quantizer, config } }) => {
    const reason = quantizer.obstacle(config, shape)
    return reason === undefined ? [] : [{ layer: name, shape: [...shape], reason }]
  })
  if (offenders.length > 0) throw new GroupSizeIndivisible({ offenders })
  return { layers: planned, unmatched: decided.flatMap(({ layer, rule }) => (rule < 0 ? [layer] : [])) }
}

/** The quantizer of each planned layer, by layer name. */
export const choicesOf = (plan: Plan): ReadonlyMap<string, QuantizerChoice> =>
  new Map(plan.layers.map(({ name, choice }) => [name, choice]))
