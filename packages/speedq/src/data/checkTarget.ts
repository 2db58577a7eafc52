/** What `data check` is given: a recipe or an ablation, whose stages say how they use data, or the meta file of a mixture. */
import { existsSync } from "node:fs"
import { parseJson, readTextSync } from "@speedq/formats"
import { isAblation } from "@speedq/pipeline"
import { type CheckedData, checkedDataOf, ownData, readSourcesOf } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { WrongUsage } from "../Errors.ts"
import { isModulePath } from "../modules/importModule.ts"
import { loadWork } from "../recipes/loadWork.ts"
import { isDirectory } from "../recipes/recordOfRun.ts"
import { recipeFile, shippedPath } from "../shipped/shipped.ts"

const help = "speedq data check --help"

export interface CheckTarget {
  /** Path or name of a recipe or a meta file. */
  readonly named: string
  readonly settings: readonly string[]
  /** For a meta file alone; a recipe names them itself. */
  readonly model: string | undefined
  readonly maxLength: number | undefined
  readonly maxTiles: number | undefined
}

export interface Checked {
  readonly data: readonly CheckedData[]
  readonly sources: ReturnType<typeof readSourcesOf>
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** Whether a JSON file is of the form that `matches`; what cannot be read is said where it is needed. */
const holds = (file: string, matches: (json: object) => boolean): boolean => {
  if (isModulePath(file) || isDirectory(file) || !existsSync(file)) return false
  try {
    const json: unknown = parseJson(readTextSync(file))
    return isObject(json) && matches(json)
  } catch {
    return false
  }
}

const isRecipe = (file: string): boolean =>
  isModulePath(file) || isDirectory(file) || holds(file, (json) => "stages" in json || isAblation(json))

const isMeta = (file: string): boolean =>
  holds(file, (json) => Object.values(json).some((entry) => isObject(entry) && "annotation" in entry))

const wrong = (...problems: readonly string[]) => new WrongUsage({ problems, help })

/** Flags that say of a meta file what a recipe says by itself, with what to write in their places. */
const recipeProblems = ({ model, maxLength, maxTiles }: CheckTarget): readonly string[] => [
  ...(model === undefined ? [] : ["--model is for meta files; a recipe names its model: --set model=DIR"]),
  ...(maxLength === undefined ? [] : ["--max-length is for meta files; for a recipe: --set STAGE.data.maxLength=N"]),
  ...(maxTiles === undefined ? [] : ["--max-tiles is for meta files; for a recipe: --set STAGE.data.maxTiles=N"])
]

/** All records of a meta file, in the order of the files, with the options of stages that leave everything open. */
const dataOfMeta = ({ named, model, maxLength, maxTiles, settings }: CheckTarget) => {
  const meta = shippedPath(named)
  if (model === undefined) {
    return wrong(`${meta} is a meta file; give the model whose tokenizer and config count, with --model DIR`)
  }
  if (settings.length > 0) {
    return wrong("--set is for recipes; for a meta file there are --max-length and --max-tiles")
  }
  const lengths = { ...(maxLength && { maxLength }), ...(maxTiles && { maxTiles }) }
  return Effect.succeed([ownData({ meta, percent: 0, ...lengths }, { model, seed: 42 })])
}

/** The data to check, and what else the stages read. Fails as `loadWork` does, and with WrongUsage. */
export const checkTarget = Effect.fn("checkTarget")(function* (target: CheckTarget) {
  const { named, settings, model } = target
  const file = recipeFile(shippedPath(named))
  if (isMeta(file) || (model !== undefined && !isRecipe(file))) {
    const own: Checked = { data: yield* dataOfMeta(target), sources: [] }
    return own
  }
  const problems = recipeProblems(target)
  if (problems.length > 0) return yield* wrong(...problems)
  const work = yield* loadWork(named, settings, help)
  const recipes = work._tag === "Recipe" ? [work.recipe] : work.ablation.runs.map(({ recipe }) => recipe)
  return { data: checkedDataOf(recipes), sources: readSourcesOf(recipes) }
})
