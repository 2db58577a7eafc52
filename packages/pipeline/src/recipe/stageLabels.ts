/** Names for the stages of a recipe, each its own: `evaluate`, `evaluate-2`; and their directories: `04-evaluate-2`. */
import { formatPath } from "@speedq/formats"
import type { Json } from "effect/Schema"
import { isJsonArray, isJsonObject } from "../json/canonicalJson.ts"

/** The second and later uses of a name get a number. */
export const uniqueLabels = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const uses = new Map<string, number>()
  return names.map((name) => {
    const use = (uses.get(name) ?? 0) + 1
    uses.set(name, use)
    return use === 1 ? name : `${name}-${use}`
  })
}

/** Far more than any recipe has: each stage has a directory that is looked at. */
const mostStages = 1000

/** What is wrong with a recipe of too many stages; undefined where it has none too many. */
export const tooManyStages = (recipe: Json): string | undefined => {
  const stages = isJsonObject(recipe) && isJsonArray(recipe.stages) ? recipe.stages.length : 0
  return stages > mostStages ? `it has ${stages} entries, more than the ${mostStages} that are taken` : undefined
}

/** Directory of the stage at `index`, counted from 0. */
export const placeName = (index: number, label: string): string => `${String(index + 1).padStart(2, "0")}-${label}`

/** Whether a directory may be that of a stage by its name: in its place, half written, or kept under a longer name. */
export const isPlace = (name: string): boolean => /^\.?\d{2,4}-/.test(name)

/** A stage of a recipe in JSON: its kind, its name, and that of its directory. */
export interface StageInJson {
  readonly use: string
  readonly label: string
  readonly place: string
}

/** The stages that a recipe in JSON uses; none where it is not a recipe. */
export const stagesInJson = (recipe: Json): ReadonlyArray<StageInJson> => {
  const stages = isJsonObject(recipe) && isJsonArray(recipe.stages) ? recipe.stages : []
  const uses = stages.map((stage) => (isJsonObject(stage) && typeof stage.use === "string" ? stage.use : ""))
  const names = uniqueLabels(uses)
  return uses.map((use, index) => {
    const label = names[index] ?? use
    return { use, label, place: placeName(index, label) }
  })
}

/**
 * A path into a recipe as messages write it, its stage named as its directory is: `08-qat.maxSteps` for `["stages", 7, "maxSteps"]`. A
 * stage without a kind has no name: it stays `stages[7]`.
 */
export const namedPath = (recipe: Json, path: ReadonlyArray<string | number>): string => {
  const [first, index, ...rest] = path
  const stage = first === "stages" && typeof index === "number" ? stagesInJson(recipe)[index] : undefined
  return stage === undefined || stage.label === "" ? formatPath(path) : formatPath([stage.place, ...rest])
}
