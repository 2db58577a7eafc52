/** Names for the stages of a recipe, each its own: `evaluate`, `evaluate-2`; and their directories: `04-evaluate-2`. */
import { formatPath } from "@speedq/formats"
import type { Json } from "effect/Schema"
import { isJsonArray, isJsonObject } from "../json/canonicalJson.ts"

/** The second and later uses of a name get a number. */
export const uniqueLabels = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.map((name, index) => {
    const before = names.slice(0, index).filter((other) => other === name).length
    return before === 0 ? name : `${name}-${before + 1}`
  })

/** Directory of the stage at `index`, counted from 0. */
export const placeName = (index: number, label: string): string => `${String(index + 1).padStart(2, "0")}-${label}`

/** The stages that a recipe in JSON uses, by kind and by label; none where it is not a recipe. */
export const stagesInJson = (recipe: Json): ReadonlyArray<{ readonly use: string; readonly label: string }> => {
  const stages = isJsonObject(recipe) && isJsonArray(recipe.stages) ? recipe.stages : []
  const uses = stages.map((stage) => (isJsonObject(stage) && typeof stage.use === "string" ? stage.use : ""))
  const names = uniqueLabels(uses)
  return uses.map((use, index) => ({ use, label: names[index] ?? use }))
}

/**
 * A path into a recipe as messages write it, its stage named as its directory is: `08-qat.maxSteps` for `["stages", 7, "maxSteps"]`. A
 * stage without a kind has no name: it stays `stages[7]`.
 */
export const namedPath = (recipe: Json, path: ReadonlyArray<string | number>): string => {
  const [first, index, ...rest] = path
  const label = typeof index === "number" ? stagesInJson(recipe)[index]?.label : undefined
  if (first !== "stages" || typeof index !== "number" || !label) return formatPath(path)
  return formatPath([placeName(index, label), ...rest])
}
