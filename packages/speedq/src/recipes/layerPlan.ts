/** What a recipe does to every layer of a model, from configs alone: the rule that decides, bits, bytes, and the size of all. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Compat, Recipe } from "@speedq/pipeline"
import { type Plan, type PlanRow, planRows, RuleSpec, type SizeReport, sizeReport } from "@speedq/quantizers"
import {
  configOf,
  EmbeddingConfig,
  type PlannedLayers,
  planEmbeddings,
  planTowers,
  QuantizedLanguage,
  QuantizedVision
} from "@speedq/stages"
import { type ModelConfig, parameterCount } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { releasedFile } from "../shipped/released.ts"

/** One layer, and the stage whose rule decided about it; null where none did. */
interface LayerRow extends PlanRow {
  readonly stage: string | null
}

export interface LayerPlan {
  /** File that the shapes come from: the model's config.json, or the shipped one where the model is not there yet. */
  readonly shapesFrom: string
  readonly parameters: number
  readonly layers: readonly LayerRow[]
  readonly size: SizeReport
}

/** The part of a stage's configuration that decides quantizers. */
const Deciding = Schema.Struct({
  quantizers: Schema.Array(RuleSpec),
  embeddings: EmbeddingConfig,
  compat: Compat
})
const decodeDeciding = Schema.decodeUnknownOption(Deciding)

/** The last stage that gives `artefact` by rules, and those. */
const decidingStage = (recipe: Recipe.AnyRecipe, artefact: string) =>
  Recipe.labelled(recipe.stages)
    .flatMap(({ stage, label }) => {
      const deciding = Option.getOrUndefined(decodeDeciding(stage.config))
      return deciding !== undefined && stage.gives.some(({ name }) => name === artefact) ? [{ label, ...deciding }] : []
    })
    .at(-1)

/** Some layers, planned by the rules of a stage. */
interface Part extends Pick<PlannedLayers, "rules" | "plan"> {
  readonly stage: string | null
}

const planVision = Effect.fnUntraced(function* (recipe: Recipe.AnyRecipe, config: ModelConfig) {
  const stage = decidingStage(recipe, QuantizedVision.name)
  const planned = yield* planTowers(config, ["vision"], stage?.quantizers ?? [], stage?.compat)
  return { stage: stage?.label ?? null, ...planned }
})

/** Linears by the rules; embedding and head by the quantizer of their own, which goes before any rule. */
const planLanguage = Effect.fnUntraced(function* (recipe: Recipe.AnyRecipe, config: ModelConfig) {
  const stage = decidingStage(recipe, QuantizedLanguage.name)
  const label = stage?.label ?? null
  const { rules, plan } = yield* planTowers(config, ["language"], stage?.quantizers ?? [], stage?.compat)
  const embedded = yield* planEmbeddings(config, stage?.embeddings ?? null, stage?.compat)
  const taken = new Set(embedded.plan.layers.map(({ name }) => name))
  const left = <L extends { readonly name: string }>(layers: readonly L[]) =>
    layers.filter(({ name }) => !taken.has(name))
  return [
    { stage: label, rules, plan: { layers: left(plan.layers), unmatched: left(plan.unmatched) } },
    { stage: label, ...embedded }
  ] satisfies readonly Part[]
})

/** Plans all layers, without touching weights. Fails with ModelUnreadable, and RulesInvalid where rules do not fit. */
export const layerPlan = Effect.fn("layerPlan")(function* (recipe: Recipe.AnyRecipe) {
  const { model } = recipe.settings
  const config = yield* configOf(model)
  const own = join(model, "config.json")
  const shapesFrom = existsSync(own) ? own : releasedFile(model)
  const projector = yield* planTowers(config, ["projector"], [])
  const parts: readonly Part[] = [
    yield* planVision(recipe, config),
    { stage: null, ...projector },
    ...(yield* planLanguage(recipe, config))
  ]
  const together: Plan = {
    layers: parts.flatMap(({ plan }) => plan.layers),
    unmatched: parts.flatMap(({ plan }) => plan.unmatched)
  }
  const parameters = parameterCount(config)
  const result: LayerPlan = {
    shapesFrom,
    parameters,
    layers: parts.flatMap(({ stage, rules, plan }) =>
      planRows(plan, rules).map((row) => ({ stage: row.rule === null ? null : stage, ...row }))
    ),
    size: sizeReport(together, parameters)
  }
  return result
})
