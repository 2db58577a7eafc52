/** A recipe's rules on a model: which matrix gets which quantizer, decided before any work and without the weights. */
import { option, parameterOf } from "@speedq/formats"
import type { Stage } from "@speedq/pipeline"
import {
  type Compatibility,
  choicesOf,
  costOf,
  decodeChoice,
  decodeRules,
  type EmbeddingReader,
  type Layer,
  noneQuantizer,
  type Plan,
  type PlannedLayer,
  planLayers,
  type QuantizerChoice,
  QuantizerSpec,
  type Rule,
  type RuleSpec,
  withReferenceQuirks
} from "@speedq/quantizers"
import { embeddingAndHead, linearLayers, type ModelConfig, modelTensors, type Tower, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { deciding } from "../extensions/deciding.ts"
import { Extensions } from "../extensions/Extensions.ts"

/** Everything of a model that rules may speak of: its Linears, embedding and head. */
const quantizableLayers = (config: ModelConfig): readonly Layer[] => {
  const shapes = modelTensors(config)
  const linears = [...linearLayers(config)].map(
    ([name, shape]): Layer => ({ name, shape, kind: "linear", tower: towerOf(name) })
  )
  const embeddings = embeddingAndHead(config.llm_config).map(
    (name): Layer => ({ name, shape: shapes.get(parameterOf(name))!, kind: "embedding", tower: "language" })
  )
  return [...linears, ...embeddings]
}

/** Quantizers by layer. */
export type Choices = ReadonlyMap<string, QuantizerChoice>

/** Rules with what they decide. */
export interface PlannedLayers {
  readonly rules: readonly Rule[]
  readonly plan: Plan
  /** By layer; what no rule names is not in it. */
  readonly choices: Choices
}

const planned = (rules: readonly Rule[], layers: readonly Layer[]): PlannedLayers => {
  const plan = planLayers(rules, layers)
  return { rules, plan, choices: choicesOf(plan) }
}

/** The choices that quantize. */
export const quantizing = (choices: Choices): Choices =>
  new Map([...choices].filter(([, { quantizer }]) => quantizer.id !== noneQuantizer.id))

/** The matrices that rules decide about, with their quantizers. */
export const chosenMatrices = ({ plan, choices }: Pick<PlannedLayers, "plan" | "choices">) =>
  plan.layers.flatMap(({ name, shape }) => {
    const choice = choices.get(name)
    return choice === undefined ? [] : [{ layer: name, shape, choice }]
  })

/** Those of them that are quantized. */
export const quantizedMatrices = ({ plan, choices }: PlannedLayers) =>
  chosenMatrices({ plan, choices: quantizing(choices) })

/** The same rules, with the quantizers that were allocated in place of theirs; a layer that no rule names gets none. */
const allocated = ({ rules, plan }: PlannedLayers, allocation: Choices): PlannedLayers => {
  const layers = plan.layers.map((layer): PlannedLayer => {
    const choice = allocation.get(layer.name)
    return choice === undefined ? layer : { ...layer, ...costOf(choice, layer.shape), choice }
  })
  return { rules, plan: { ...plan, layers }, choices: choicesOf({ ...plan, layers }) }
}

/**
 * Plans the layers of some towers: by an allocation, where there is one and it names them, else by the rules. Fails with
 * RulesInvalid: whatever is wrong with the rules, or does not fit the shapes.
 */
export const planTowers = Effect.fnUntraced(function* (
  config: ModelConfig,
  towers: readonly Tower[],
  specs: readonly RuleSpec[],
  compat: Compatibility = "careful",
  allocation: Choices = new Map()
) {
  const known = (yield* Extensions).quantizers
  return yield* deciding(() => {
    const layers = quantizableLayers(config).filter(({ tower }) => towers.some((name) => name === tower))
    return allocated(planned(decodeRules(specs, { compat, known }), layers), allocation)
  })
})

/** Quantizer of embedding and head. */
export const EmbeddingConfig = option(
  Schema.NullOr(QuantizerSpec),
  { use: "embedding-sym4" },
  {
    description:
      "Quantizer of token embedding and output head, which are frozen from stage 2 on. `null` leaves both in full precision. Name the same in every stage of a recipe.",
    source: "docs/quirks.md#quirk-3"
  }
)

/** Earlier versions showed every stage the embedding of the result, under `compat` reference too. */
export const embeddingVersions = ({
  embeddings,
  compat
}: {
  readonly embeddings: typeof EmbeddingConfig.Type
  readonly compat?: Compatibility
}): Stage.Versions =>
  compat === "reference" && embeddings !== null ? { "embedding of each stage under compat": 1 } : {}

/** Plans embedding and head as `reader` sees them, which makes a difference under `compat` reference. Fails with RulesInvalid. */
export const planEmbeddings = Effect.fnUntraced(function* (
  config: ModelConfig,
  spec: typeof EmbeddingConfig.Type,
  compat: Compatibility = "careful",
  reader: EmbeddingReader = "result"
) {
  const known = (yield* Extensions).quantizers
  return yield* deciding(() => {
    if (spec === null) return planned([], [])
    const choice = decodeChoice(compat === "reference" ? withReferenceQuirks(spec, reader) : spec, known)
    const layers = quantizableLayers(config).filter(({ kind }) => kind === "embedding")
    return planned([{ match: "**", layers: "embedding", choice }], layers)
  })
})
