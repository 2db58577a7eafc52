/** What `run` and `plan` are given: a recipe, or an ablation, which is several variants of one over several seeds. */
import { dirname, resolve } from "node:path"
import { decodeAblation, decodeAblationDocument, isAblation, recipeModule } from "@speedq/pipeline"
import { knownStages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import type { Json, JsonObject } from "effect/Schema"
import { givenHere } from "../command/givenHere.ts"
import { WrongUsage } from "../Errors.ts"
import { isModulePath } from "../modules/importModule.ts"
import { recipeFile, requireGenerated, shippedPath, withShippedPaths } from "../shipped/shipped.ts"
import { applySettings, blamingSettings, decodeRecipe, readJson } from "./loadRecipe.ts"
import { loadModuleRecipe } from "./moduleRecipe.ts"
import { directoryOfRecord, isDirectory, recordOfRun } from "./recordOfRun.ts"
import { enterWorkingDirectory } from "./workingDirectory.ts"

export type LoadedAblation = Effect.Success<ReturnType<typeof loadAblation>>

const seedsSetting = /^seeds=(.*)$/s

const isObject = (json: Json | undefined): json is JsonObject =>
  typeof json === "object" && json !== null && !Array.isArray(json)

/** A variant keeps those of its seeds that are among the new ones. */
const amongSeeds = (variant: Json, seeds: readonly Json[]): Json => {
  if (!isObject(variant) || !Array.isArray(variant.seeds)) return variant
  const kept = (variant.seeds as readonly Json[]).filter((seed) => seeds.includes(seed))
  return kept.length === 0 ? variant : { ...variant, seeds: kept }
}

/** Seeds of the command line, `seeds=1,2` or `seeds=[1,2]`, in place of the ablation's own. */
const withSeeds = (json: Json, settings: readonly string[]): Json => {
  const written = settings.flatMap((setting) => seedsSetting.exec(setting)?.[1] ?? []).at(-1)
  if (written === undefined || !isObject(json)) return json
  const seeds = written
    .replaceAll(/[[\]\s]/g, "")
    .split(",")
    .map((text) => (Number.isInteger(Number(text)) ? Number(text) : written))
  if (!Array.isArray(json.variants)) return { ...json, seeds }
  return { ...json, seeds, variants: (json.variants as readonly Json[]).map((variant) => amongSeeds(variant, seeds)) }
}

const loadAblation = Effect.fn("loadAblation")(function* (
  file: string,
  json: Json,
  settings: readonly string[],
  help: string
) {
  if (settings.some((setting) => /^seed=/.test(setting))) {
    return yield* new WrongUsage({ problems: ["an ablation has several seeds; --set seeds=1,2,3"], help })
  }
  const own = withShippedPaths(json)
  const document = yield* blamingSettings(
    decodeAblationDocument(withSeeds(own, settings)),
    decodeAblationDocument(own),
    settings,
    help
  )
  const written = yield* readJson(resolve(dirname(file), document.base))
  yield* requireGenerated(written)
  const base = withShippedPaths(written)
  const changes = settings.filter((setting) => !seedsSetting.test(setting)).map(shippedPath)
  yield* applySettings(base, changes, help)
  const stages = yield* knownStages
  // After what the ablation sets for all variants, before what makes a variant one.
  const set = [...document.set, ...changes]
  return yield* blamingSettings(
    decodeAblation(stages, { ...document, set }, base),
    decodeAblation(stages, document, base),
    settings,
    help
  )
})

/**
 * What a person means: a module that exports a recipe, the directory of a run or its run.json, a recipe or an ablation in JSON, or the name of a
 * shipped one. A run's own directory is where it goes on, and for the life of the scope the process is where relative paths of its recipe
 * count from. Fails with what reading, decoding and the settings fail with.
 */
export const loadWork = Effect.fn("loadWork")(function* (given: string, settings: readonly string[], help: string) {
  const named = yield* directoryOfRecord(given)
  if (isModulePath(named)) {
    const recipe = yield* loadModuleRecipe(named, settings, help)
    return { _tag: "Recipe" as const, recipe, directory: undefined, module: named }
  }
  if (isDirectory(named)) {
    const record = yield* recordOfRun(named)
    const given = givenHere()
    yield* enterWorkingDirectory(named, record)
    const recipe = yield* decodeRecipe(record.recipe, settings, help)
    return { _tag: "Recipe" as const, recipe, directory: given(named), module: record.surroundings[recipeModule] }
  }
  const file = recipeFile(named)
  const json = yield* readJson(file)
  if (isAblation(json)) {
    return { _tag: "Ablation" as const, ablation: yield* loadAblation(file, json, settings, help) }
  }
  const recipe = yield* decodeRecipe(json, settings, help)
  return { _tag: "Recipe" as const, recipe, directory: undefined, module: undefined }
})
