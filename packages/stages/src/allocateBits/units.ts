/** What gets its bits together: the Linears of a transformer block, or each Linear; and what every candidate makes of it. */
import type { Compatibility, QuantizerChoice, RuleSpec } from "@speedq/quantizers"
import { sizeOf } from "@speedq/tensors"
import { blocksUsed, type ModelConfig, visionBlockName } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { RulesInvalid } from "../Errors.ts"
import { firstNames } from "../model/firstNames.ts"
import { modelBlocks } from "../model/modelBlocks.ts"
import { type PlannedLayers, planTowers } from "../model/plannedLayers.ts"

/** Quantizers of a unit's layers by one of the candidates, and the bits of their weights together. */
interface UnitCandidate {
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  readonly bits: number
}

export interface Unit {
  /** Of the block, or of the Linear. */
  readonly name: string
  /** Place of its block among all that run, the vision tower's first; undefined for a block that does not run. */
  readonly position: number | undefined
  readonly weights: number
  /** In the order of the option. */
  readonly candidates: readonly UnitCandidate[]
}

interface Planning {
  readonly candidates: readonly (readonly RuleSpec[])[]
  readonly unit: "block" | "layer"
  readonly compat: Compatibility
}

interface Block {
  readonly name: string
  readonly position: number | undefined
}

/** In the order in which they run; those of the tower that do not run are after the others of it. */
const blocksOf = (config: ModelConfig): readonly Block[] => {
  const used = blocksUsed(config)
  const running = modelBlocks(config)
    .filter(({ tower }) => tower !== "projector")
    .map(({ name }, position) => ({ name, position }))
  const idle = Array.from({ length: config.vision_config.num_hidden_layers - used }, (_, at) => ({
    name: visionBlockName(used + at),
    position: undefined
  }))
  return [...running.slice(0, used), ...idle, ...running.slice(used)]
}

type Layers = PlannedLayers["plan"]["layers"]

const unitOf = (name: string, position: number | undefined, layers: readonly Layers[]): Unit => ({
  name,
  position,
  weights: layers[0]!.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
  candidates: layers.map((each) => ({
    choices: new Map(each.map((layer) => [layer.name, layer.choice])),
    bits: each.reduce((sum, { shape, bitsPerWeight }) => sum + Math.floor(sizeOf(shape) * bitsPerWeight), 0)
  }))
})

/** Fails with RulesInvalid where candidates are about different layers, or about a layer of no block. */
const requireSame = (plans: readonly Layers[], blocks: readonly Block[]): Effect.Effect<void, RulesInvalid> => {
  const [first, ...others] = plans.map((layers) => new Set(layers.map(({ name }) => name)))
  for (const [at, other] of others.entries()) {
    const different = [...first!]
      .filter((layer) => !other.has(layer))
      .concat([...other].filter((layer) => !first!.has(layer)))
    if (different.length > 0) {
      const reason = `candidates[0] and candidates[${at + 1}] name different layers, ${different.length} of them in one alone: ${firstNames(different)}; give every candidate rules for the same layers ("none" leaves a layer in 16 bits)`
      return Effect.fail(new RulesInvalid({ reason }))
    }
  }
  const outside = [...first!].filter((layer) => !blocks.some(({ name }) => layer.startsWith(`${name}.`)))
  if (outside.length === 0) return Effect.void
  const reason = `candidates name ${firstNames(outside)}, which ${outside.length === 1 ? "is" : "are"} no Linear of a transformer block; bits are allocated among those alone`
  return Effect.fail(new RulesInvalid({ reason }))
}

/** All units of a model in the order in which they run. Fails with RulesInvalid. */
export const planUnits = Effect.fnUntraced(function* (config: ModelConfig, { candidates, unit, compat }: Planning) {
  const planned = yield* Effect.forEach(candidates, (rules) =>
    planTowers(config, ["vision", "language"], rules, compat)
  )
  const plans = planned.map(({ plan }) => plan.layers)
  const blocks = blocksOf(config)
  yield* requireSame(plans, blocks)
  return blocks.flatMap(({ name, position }): readonly Unit[] => {
    const within = plans.map((layers) => layers.filter((layer) => layer.name.startsWith(`${name}.`)))
    const [first = []] = within
    if (first.length === 0) return []
    if (unit === "block") return [unitOf(name, position, within)]
    return first.map((_, at) =>
      unitOf(
        first[at]!.name,
        position,
        within.map((layers) => [layers[at]!])
      )
    )
  })
})
