/** What a recipe does to every layer of a model, from configs alone: the rule that decides, bits, bytes, and the size of all. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Recipe } from "@speedq/pipeline"
import { type Plan, type PlanRow, planRows, type SizeReport, sizeReport } from "@speedq/quantizers"
import {
  configOf,
  measuredLayers,
  type PlannedLayers,
  planEmbeddings,
  planStage,
  planTowers,
  QuantizedLanguage,
  QuantizedVision
} from "@speedq/stages"
import { type ModelConfig, parameterCount, type Tower } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
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
  /** Layers whose quantizers stages choose by measurement: until then rows and sizes are by the rules that the choice goes before. */
  readonly allocated: readonly Allocated[]
  readonly size: SizeReport
}

interface Allocated {
  readonly stage: string
  readonly layers: readonly string[]
}

/** The stages that give `artefact` by rules, with their places, in order. */
const decidingStages = (recipe: Recipe.AnyRecipe, artefact: string) =>
  Recipe.labelled(recipe.stages).filter(
    ({ stage }) => stage.gives.some(({ name }) => name === artefact) && decides(stage.config)
  )
const decides = Schema.is(Schema.Struct({ quantizers: Schema.Array(Schema.Json) }))

/** Some layers, planned by the rules of a stage. */
interface Part extends Pick<PlannedLayers, "rules" | "plan"> {
  readonly stage: string | null
}

/** What a plan says of the layers of one tower. */
const ofTower = ({ layers, unmatched }: Plan, tower: string): Plan => ({
  layers: layers.filter((layer) => layer.tower === tower),
  unmatched: unmatched.filter((layer) => layer.tower === tower)
})

const planTower = Effect.fnUntraced(function* (
  recipe: Recipe.AnyRecipe,
  config: ModelConfig,
  tower: Tower,
  artefact: string
) {
  const decided = decidingStages(recipe, artefact).at(-1)
  if (decided === undefined) {
    return { place: null, linears: yield* planTowers(config, [tower], []), embeddings: undefined }
  }
  const { linears, embeddings } = yield* planStage(config, decided.stage)
  return { place: decided.place, linears: { ...linears, plan: ofTower(linears.plan, tower) }, embeddings }
})

/** Each layer of the tower by the last stage whose rules name it: a later one keeps what it does not name. */
const planVision = Effect.fnUntraced(function* (recipe: Recipe.AnyRecipe, config: ModelConfig) {
  const taken = new Set<string>()
  const parts: Part[] = []
  for (const { place, stage } of decidingStages(recipe, QuantizedVision.name).reverse()) {
    const { linears } = yield* planStage(config, stage)
    const own = ofTower(linears.plan, "vision").layers.filter(({ name }) => !taken.has(name))
    for (const { name } of own) taken.add(name)
    parts.push({ stage: place, rules: linears.rules, plan: { layers: own, unmatched: [] } })
  }
  const { rules, plan } = yield* planTowers(config, ["vision"], [])
  const unmatched = plan.unmatched.filter(({ name }) => !taken.has(name))
  return [...parts, { stage: null, rules, plan: { layers: [], unmatched } }]
})

/** By the rules of the stage that trains the language model, where they decide about the projector too. */
const planProjector = Effect.fnUntraced(function* (recipe: Recipe.AnyRecipe, config: ModelConfig) {
  const { place, linears } = yield* planTower(recipe, config, "projector", QuantizedLanguage.name)
  const { layers, unmatched } = linears.plan
  if (layers.length + unmatched.length > 0) return { stage: place, ...linears }
  return { stage: null, ...(yield* planTowers(config, ["projector"], [])) }
})

/** Linears by the rules; embedding and head by the quantizer of their own, which goes before any rule. */
const planLanguage = Effect.fnUntraced(function* (recipe: Recipe.AnyRecipe, config: ModelConfig) {
  const planned = yield* planTower(recipe, config, "language", QuantizedLanguage.name)
  const { place, linears } = planned
  const embedded = planned.embeddings ?? (yield* planEmbeddings(config, null))
  const taken = new Set(embedded.plan.layers.map(({ name }) => name))
  const left = <L extends { readonly name: string }>(layers: readonly L[]) =>
    layers.filter(({ name }) => !taken.has(name))
  const { layers, unmatched } = linears.plan
  return [
    { stage: place, rules: linears.rules, plan: { layers: left(layers), unmatched: left(unmatched) } },
    { stage: place, ...embedded }
  ] satisfies readonly Part[]
})

/** What stages choose for the stages after them that decide about these layers. */
const allocatedLayers = Effect.fnUntraced(function* (
  recipe: Recipe.AnyRecipe,
  config: ModelConfig,
  rows: readonly LayerRow[]
) {
  const stages = Recipe.labelled(recipe.stages)
  const orderOf = new Map(stages.map(({ place }, order) => [place, order]))
  const allocated = yield* Effect.forEach(stages, ({ stage, place }, order) =>
    Effect.map(measuredLayers(config, stage), (names): Allocated => {
      const measured = new Set(names)
      const after = rows.filter(({ layer, stage: by }) => measured.has(layer) && (orderOf.get(by ?? "") ?? -1) > order)
      return { stage: place, layers: after.map(({ layer }) => layer) }
    })
  )
  return allocated.filter(({ layers }) => layers.length > 0)
})

/** Plans all layers, without touching weights. Fails with ModelUnreadable, and RulesInvalid where rules do not fit. */
export const layerPlan = Effect.fn("layerPlan")(function* (recipe: Recipe.AnyRecipe) {
  const { model } = recipe.settings
  const config = yield* configOf(model)
  const own = join(model, "config.json")
  const shapesFrom = existsSync(own) ? own : releasedFile(model)
  const parts: readonly Part[] = [
    ...(yield* planVision(recipe, config)),
    yield* planProjector(recipe, config),
    ...(yield* planLanguage(recipe, config))
  ]
  const together: Plan = {
    layers: parts.flatMap(({ plan }) => plan.layers),
    unmatched: parts.flatMap(({ plan }) => plan.unmatched)
  }
  const parameters = parameterCount(config)
  const layers = parts.flatMap(({ stage, rules, plan }) =>
    planRows(plan, rules).map((row): LayerRow => ({ stage: row.rule === null ? null : stage, ...row }))
  )
  const result: LayerPlan = {
    shapesFrom,
    parameters,
    layers,
    allocated: yield* allocatedLayers(recipe, config, layers),
    size: sizeReport(together, parameters)
  }
  return result
})
