/** A recipe's rules on a model: which Linear gets which quantizer, decided before any work. */
import {
  decodeChoice,
  type Layer,
  type Plan,
  planLayers,
  type Quantizer,
  type QuantizerChoice,
  type Rule
} from "@speedq/quantizers"
import { linearLayers, type ModelConfig, modelTensors, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { RulesInvalid } from "../Errors.ts"
import type { RuleSpec } from "./QuantizerSpec.ts"
import { embeddingName, headName } from "./quantizedEmbeddings.ts"

/** Everything of a model that rules may speak of: its Linears, embedding and head. */
export const quantizableLayers = (config: ModelConfig): readonly Layer[] => {
  const shapes = modelTensors(config)
  const linears = [...linearLayers(config)].map(
    ([name, shape]): Layer => ({ name, shape, kind: "linear", tower: towerOf(name) })
  )
  const embeddings = [embeddingName, headName].map(
    (name): Layer => ({
      name: name.replace(/\.weight$/, ""),
      shape: shapes.get(name)!,
      kind: "embedding",
      tower: "language"
    })
  )
  return [...linears, ...embeddings]
}

/** Rules as the quantizers package wants them. Raises UnknownQuantizer and QuantizerConfigInvalid. */
export const rulesOf = (specs: readonly RuleSpec[], known: readonly Quantizer[]): readonly Rule[] =>
  specs.map(({ match, tower, layers, ...choice }) => ({
    match,
    ...(tower === undefined ? {} : { tower }),
    ...(layers === undefined ? {} : { layers }),
    choice: decodeChoice(choice, known)
  }))

/** Plans the layers of one tower (and embeddings, where a rule asks for them). Raises the errors of planLayers. */
export const planTower = (
  config: ModelConfig,
  tower: Layer["tower"],
  specs: readonly RuleSpec[],
  known: readonly Quantizer[]
): Plan =>
  planLayers(
    rulesOf(specs, known),
    quantizableLayers(config).filter((layer) => layer.tower === tower)
  )

/** Runs code that decides quantizers; what it throws is a RulesInvalid. */
export const decodingRules = <A>(decide: () => A): Effect.Effect<A, RulesInvalid> =>
  Effect.try({
    try: decide,
    catch: (error) => new RulesInvalid({ reason: error instanceof Error ? error.message : String(error) })
  })

/** Quantizers by parameter name for rounding to nearest: Linears of all towers by the rules, embedding and head where a rule names them. */
export const nearestChoices = (
  config: ModelConfig,
  specs: readonly RuleSpec[],
  known: readonly Quantizer[]
): ReadonlyMap<string, QuantizerChoice> => {
  if (specs.length === 0) return new Map()
  const plan = planLayers(rulesOf(specs, known), quantizableLayers(config))
  return new Map(plan.layers.map(({ name, choice }) => [`${name}.weight`, choice]))
}
