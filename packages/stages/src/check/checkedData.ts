/** The data that the stages of a recipe train on: what there is to check. */
import { Compat, Recipe, type RecipeSettings, stageSeed } from "@speedq/pipeline"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { DataConfig } from "../training/TrainingConfig.ts"

/** A mixture, and how stages make samples of it. */
export interface CheckedData {
  /** The stages that use it so, as their directories are named. */
  readonly stages: readonly string[]
  readonly data: DataConfig
  readonly compat: typeof Compat.Type
  readonly recipe: Pick<RecipeSettings, "model" | "seed">
  /** Seed of the first of the stages: of what is drawn while a sample is made. */
  readonly seed: number
}

/** A stage that trains on records, or calibrates on them, of whatever package it is. */
const Training = Schema.Struct({ data: DataConfig, compat: Compat })
const Calibrating = Schema.Struct({ calibration: DataConfig, compat: Compat })

const dataOf = (config: Schema.Json) =>
  Option.firstSomeOf([
    Schema.decodeUnknownOption(Training)(config),
    Option.map(Schema.decodeUnknownOption(Calibrating)(config), ({ calibration, compat }) => ({
      data: calibration,
      compat
    }))
  ])

/** What decides what a check finds. */
const keyOf = ({ data, compat, recipe }: CheckedData): string => {
  const { pictures: _, workers: __, ...counted } = data
  return JSON.stringify([counted, compat, recipe.model, recipe.seed])
}

/** The data of a recipe's stages in their order; stages that make the same samples share one. */
export const checkedDataOf = (recipes: readonly Recipe.AnyRecipe[]): readonly CheckedData[] => {
  const found = new Map<string, CheckedData>()
  for (const { settings, stages } of recipes) {
    for (const { label, place, stage } of Recipe.labelled(stages)) {
      const used = Option.getOrUndefined(dataOf(stage.config))
      if (used === undefined) continue
      const { model, seed } = settings
      const own = { ...used, stages: [place], recipe: { model, seed }, seed: stageSeed(seed, label) }
      const before = found.get(keyOf(own))
      const shared = before === undefined ? own : { ...before, stages: [...new Set([...before.stages, place])] }
      found.set(keyOf(own), shared)
    }
  }
  return [...found.values()]
}

/** A mixture that no recipe names yet. `options` are those of a stage's `data`; throws a SchemaError for one that is out of range. */
export const ownData = (options: typeof DataConfig.Encoded, { model, seed }: CheckedData["recipe"]): CheckedData => ({
  stages: [],
  data: Schema.decodeUnknownSync(DataConfig)(options),
  compat: "careful",
  recipe: { model, seed },
  seed
})
