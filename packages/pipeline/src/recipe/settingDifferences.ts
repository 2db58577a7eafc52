/** The settings in which several recipes differ, and those that changed in one. */
import type { Json } from "effect/Schema"
import { jsonChanges, type KeyChange } from "../checkpoints/StageKey.ts"
import { isJsonArray, isJsonObject } from "../json/canonicalJson.ts"
import { type StageInJson, stagesInJson } from "./stageLabels.ts"

export interface SettingDifference {
  /** As `--set` names it: `qat.learningRate`. */
  readonly setting: string
  /** The value in each recipe, as JSON; of a stage that not all have, whether it is there. */
  readonly values: ReadonlyArray<string>
}

/** A recipe with its stages by a name, so that one more stage does not move all others. */
interface Named {
  readonly settings: Json
  readonly stages: ReadonlyArray<readonly [name: string, config: Json]>
}

type NameOf = (stage: StageInJson, config: Json) => string

const named = (recipe: Json, nameOf: NameOf): Named => {
  if (!isJsonObject(recipe)) return { settings: recipe, stages: [] }
  const { stages = [], ...settings } = recipe
  const configs = isJsonArray(stages) ? stages : []
  return {
    settings,
    stages: stagesInJson(recipe).map((stage, index) => {
      const config = configs[index] ?? null
      return [nameOf(stage, config), config] as const
    })
  }
}

const titleOrLabel: NameOf = ({ use, label }, config) =>
  isJsonObject(config) && typeof config.title === "string" ? `${use} "${config.title}"` : label

const withoutName = (recipe: Json): Json => {
  if (!isJsonObject(recipe)) return recipe
  const { name: _, ...rest } = recipe
  return rest
}

/**
 * One entry for each setting that is not the same in all recipes, whatever these are called: of the recipe, of its stages by title or
 * label, and stages that not all have.
 */
export const settingsThatDiffer = (recipes: ReadonlyArray<Json>): ReadonlyArray<SettingDifference> =>
  allDifferences(recipes.map((recipe) => named(withoutName(recipe), titleOrLabel)))

/** What changed from one recipe to the next. A stage has the name of its directory, of the later recipe where both have it. */
export const recipeChanges = (before: Json, after: Json): ReadonlyArray<KeyChange> => {
  const places = new Map(
    [before, after].flatMap((recipe) => stagesInJson(recipe).map(({ label, place }) => [label, place]))
  )
  const both = [before, after].map((recipe) => named(recipe, ({ label }) => places.get(label) ?? label))
  return allDifferences(both).map(({ setting, values: [was = "", is = ""] }) => ({
    field: setting,
    before: was,
    after: is
  }))
}

const allDifferences = (all: ReadonlyArray<Named>): ReadonlyArray<SettingDifference> => {
  const names = [...new Set(all.flatMap(({ stages }) => stages.map(([name]) => name)))]
  const own = differences(all.map(({ settings }) => settings))
  const configsOf = (name: string) => all.map(({ stages }) => stages.find(([each]) => each === name)?.[1])
  const changed = names.flatMap((name) => {
    const configs = configsOf(name).filter((config) => config !== undefined)
    return configs.length === all.length ? differences(configs, name) : []
  })
  const missing = names.flatMap((name) => {
    const configs = configsOf(name)
    const values = configs.map((config) => (config === undefined ? "not there" : "there"))
    return configs.includes(undefined) ? [{ setting: name, values }] : []
  })
  return [...own, ...changed, ...missing]
}

const differences = (values: ReadonlyArray<Json>, field?: string): ReadonlyArray<SettingDifference> => {
  const [first, ...others] = values
  const changes = others.map(
    (other) => new Map(jsonChanges(first, other, field).map((change) => [change.field, change]))
  )
  const fields = [...new Set(changes.flatMap((own) => [...own.keys()]))]
  return fields.map((setting) => {
    const before = changes.find((own) => own.has(setting))?.get(setting)?.before ?? ""
    return { setting, values: [before, ...changes.map((own) => own.get(setting)?.after ?? before)] }
  })
}
