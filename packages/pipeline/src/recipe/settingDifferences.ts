/** The settings in which several recipes differ. */
import type { Json } from "effect/Schema"
import { jsonChanges } from "../checkpoints/StageKey.ts"
import { isJsonArray, isJsonObject } from "../json/canonicalJson.ts"
import { stagesInJson } from "./stageLabels.ts"

export interface SettingDifference {
  /** As `--set` names it: `qat.learningRate`. */
  readonly setting: string
  /** The value in each recipe, as JSON; of a stage that not all have, whether it is there. */
  readonly values: ReadonlyArray<string>
}

/** A recipe with its stages by their titles or labels, so that one more stage does not move all others. */
const byStage = (
  recipe: Json
): { readonly settings: Json; readonly stages: ReadonlyArray<readonly [string, Json]> } => {
  if (!isJsonObject(recipe)) return { settings: recipe, stages: [] }
  const { stages = [], name: _, ...settings } = recipe
  const configs = isJsonArray(stages) ? stages : []
  return {
    settings,
    stages: stagesInJson(recipe).map(({ use, label }, index) => {
      const config = configs[index] ?? null
      const title = isJsonObject(config) && typeof config.title === "string" ? config.title : undefined
      return [title === undefined ? label : `${use} "${title}"`, config] as const
    })
  }
}

/** One entry for each setting that is not the same in all recipes: of the recipe, of its stages, and stages that not all have. */
export const settingsThatDiffer = (recipes: ReadonlyArray<Json>): ReadonlyArray<SettingDifference> => {
  const all = recipes.map(byStage)
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
