/** Files that come with the command: recipes, configs of models, the nano data. */
import { existsSync, readdirSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { RecipeInvalid } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import type { Json } from "effect/Schema"

/** The same from `src` and from `dist`. */
const packageRoot = fileURLToPath(new URL("../../", import.meta.url))

/** A clone has the package's tsconfig, and an edited recipe counts there at once; a tarball has what the build copied. */
const isClone = existsSync(join(packageRoot, "tsconfig.json"))
const shippedRoot = isClone ? join(packageRoot, "..", "..") : join(packageRoot, "dist", "share")

const shippedRecipes = join(shippedRoot, "configs")
export const shippedModels = join(shippedRoot, "configs", "models")
export const shippedNano = join(shippedRoot, "data", "nano")

const ending = ".json"

/** Files of recipes in a directory; the JSON Schema that they name is none. */
export const recipesIn = (directory: string): readonly string[] =>
  readdirSync(directory).filter((name) => name.endsWith(ending) && !name.endsWith(`.schema${ending}`))

/** Names of the recipes that come with the command, such as "nano-2bit" and "paper/internvl3-1b-2bit". */
export const shippedRecipeNames = (): readonly string[] =>
  [...recipesIn(shippedRecipes), ...recipesIn(join(shippedRecipes, "paper")).map((name) => `paper/${name}`)].map(
    (name) => name.slice(0, -ending.length)
  )

/** The file that a recipe's name or path means: what is there, or else the shipped recipe of that name. */
export const recipeFile = (named: string): string =>
  !existsSync(named) && shippedRecipeNames().includes(named) ? join(shippedRecipes, named + ending) : named

/** A path is short, and stays the same when a project moves, where the current directory holds the file. */
const fromHere = (file: string): string => {
  const path = relative("", file)
  return path.startsWith("..") ? file : path
}

/** Where a file that comes with the command is: `shippedFile("data/nano/model")`. */
export const shippedFile = (name: string): string => fromHere(join(shippedRoot, name))

/** A path of a recipe or a setting: `speedq:data/nano/model` is the file of that name that comes with the command. */
export const shippedPath = (path: string): string =>
  path.replace(/^((?:[\w.[\]-]+=)?)speedq:(.*)$/s, (_, setting: string, name: string) => {
    return setting + shippedFile(name)
  })

/** Pictures and questions of micro: a generator makes them, with the same bytes for every one who runs it. */
const generated = { folder: "data/micro/build", command: "npm run micro" }

/** What a recipe names of the generated files, where they are not there. */
const missingOf = (json: Json): readonly string[] => {
  if (typeof json === "string") {
    const missing = json.startsWith(`speedq:${generated.folder}/`) && !existsSync(shippedPath(json))
    return missing ? [json] : []
  }
  return json !== null && typeof json === "object" ? Object.values(json).flatMap(missingOf) : []
}

/** Fails with RecipeInvalid where a recipe reads files that a generator makes, and none has made them. */
export const requireGenerated = (json: Json): Effect.Effect<void, RecipeInvalid> => {
  const [missing] = missingOf(json)
  if (missing === undefined) return Effect.void
  const { folder, command } = generated
  const issue = `${missing} is not there: ${folder} is not shipped but made; run \`${command}\` in a clone of the repository, which takes half a minute`
  return Effect.fail(new RecipeInvalid({ problems: [{ path: folder, issue }] }))
}

/** A recipe with the paths of shipped files as they are on this machine. */
export const withShippedPaths = (json: Json): Json => {
  if (typeof json === "string") return shippedPath(json)
  if (json === null || typeof json !== "object") return json
  if (Array.isArray(json)) return json.map(withShippedPaths)
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, withShippedPaths(value)]))
}
