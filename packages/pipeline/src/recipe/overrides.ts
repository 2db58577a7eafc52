/** `--set path=value`: changes single values of a recipe in JSON, checked against the schemas of its stages. */
import { formatPath, nearest } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { RecipeInvalid, type RecipeProblem } from "../Errors.ts"
import { accepts } from "../json/accepts.ts"
import { isJsonArray, isJsonObject } from "../json/canonicalJson.ts"
import { decodeJson, jsonOrText } from "../json/jsonOrText.ts"
import type { Registered } from "../stage/contract.ts"
import { propertiesOf } from "./propertiesOf.ts"
import { RecipeDocument } from "./recipeJson.ts"
import { expandSchemes, schemesOf } from "./schemes.ts"
import { namedPath, stagesInJson } from "./stageLabels.ts"

type Segment = string | number

/** A place in the recipe that can be set: how to write it, and what it holds on the JSON side. */
interface Field {
  readonly path: ReadonlyArray<Segment>
  readonly ast: SchemaAST.AST
}

/**
 * Applies settings such as `model=DIR`, `memory.limit=4GiB`, `qat.steps=3` or `stages[2].steps=3`, later ones last.
 * A stage is named by its name (`evaluate-2` is the second `evaluate`), as its directory is (`04-evaluate-2`), or by its place in the list. Settings of schemes count before all others,
 * which see the lists that the schemes stand for. Fails with RecipeInvalid that lists every unknown path with the paths most like
 * it; whether a value fits is decided when the recipe is decoded.
 */
export const applyOverrides = (
  registry: ReadonlyArray<Registered>,
  recipe: Json,
  settings: ReadonlyArray<string>
): Effect.Effect<Json, RecipeInvalid> =>
  Effect.suspend(() => {
    const problems: Array<RecipeProblem> = []
    const apply = (json: Json, chosen: ReadonlyArray<string>) =>
      chosen.reduce<Json>((current, setting) => {
        const changed = applySetting(registry, current, setting)
        if ("issue" in changed) problems.push({ path: `--set ${setting}`, issue: changed.issue })
        return "issue" in changed ? current : changed.json
      }, json)
    const own = settings.filter((setting) => !isOfSchemes(setting))
    const named = apply(recipe, settings.filter(isOfSchemes))
    const result = apply(own.length === 0 ? named : withSchemesExpanded(registry, named), own)
    return problems.length > 0 ? Effect.fail(new RecipeInvalid({ problems })) : Effect.succeed(result)
  })

const isOfSchemes = (setting: string): boolean => /^schemes[.=[]/.test(setting)

const applySetting = (
  registry: ReadonlyArray<Registered>,
  recipe: Json,
  setting: string
): { readonly json: Json } | { readonly issue: string } => {
  const at = setting.indexOf("=")
  if (at <= 0) return { issue: "expected path=value, for example model=models/InternVL3-1B" }
  const written = setting.slice(0, at)
  if (isOfSchemes(setting)) return setInScheme(recipe, parsePath(written), setting.slice(at + 1))
  const roots = rootFields(registry, recipe)
  const fields = resolve(roots, byLabel(recipe, parsePath(written)))
  if (fields.length === 0) {
    const near = nearest(written, roots.flatMap((root) => pathsBelow(root, 4)).map(formatPath), 5)
    return { issue: `there is no "${written}" to set${near.length > 0 ? `; did you mean ${near.join(", ")}?` : ""}` }
  }
  const place = placeOf(recipe, fields[0]!.path)
  return gapIn(recipe, place) ?? { json: replaceAt(recipe, place, parseValue(fields, setting.slice(at + 1))) }
}

/** A path whose stage is named as its directory is, `04-evaluate-2`, with the stage's name alone. */
const byLabel = (recipe: Json, [first = "", ...rest]: ReadonlyArray<Segment>): ReadonlyArray<Segment> => {
  const named = stagesInJson(recipe).find(({ place }) => place === first)
  return [named?.label ?? first, ...rest]
}

/** What is wrong with a path that leaves places of a list empty: an entry can be changed, or added behind the last one. */
const gapIn = (recipe: Json, path: ReadonlyArray<Segment>): { readonly issue: string } | undefined => {
  let json: Json | undefined = recipe
  for (const [depth, segment] of path.entries()) {
    if (isJsonArray(json) && typeof segment === "number" && segment > json.length) {
      return { issue: `${namedPath(recipe, path.slice(0, depth))} has ${json.length} entries, numbered from 0` }
    }
    json = below(json, segment)
  }
  return undefined
}

const below = (json: Json | undefined, segment: Segment): Json | undefined =>
  isJsonArray(json) ? json[Number(segment)] : isJsonObject(json) ? json[String(segment)] : undefined

/** Entries of schemes are what stages make of them, so no schema tells their fields: what is there can be changed. */
const setInScheme = (recipe: Json, path: ReadonlyArray<Segment>, text: string) => {
  const [outer, last] = [path.slice(0, -1), path.at(-1)]
  const within = outer.reduce<Json | undefined>(below, recipe)
  if (within === undefined) {
    return { issue: `there is no ${formatPath(outer)}; schemes are ${Object.keys(schemesOf(recipe)).join(", ")}` }
  }
  if (isJsonArray(within) && !(typeof last === "number" && last <= within.length)) {
    return { issue: `${formatPath(outer)} has ${within.length} entries, numbered from 0` }
  }
  return { json: replaceAt(recipe, path, jsonOrText(text)) }
}

/** The recipe with lists in place of the names of schemes; what is wrong with a name stays, for decoding to tell. */
const withSchemesExpanded = (registry: ReadonlyArray<Registered>, recipe: Json): Json => {
  if (!isJsonObject(recipe) || !isJsonArray(recipe.stages)) return recipe
  const schemes = schemesOf(recipe)
  const stages = recipe.stages.map((stage) => {
    const kind = isJsonObject(stage) ? registry.find(({ name }) => name === stage.use) : undefined
    return kind === undefined || !isJsonObject(stage) ? stage : expandSchemes(kind.configAst, stage, schemes).config
  })
  return { ...recipe, stages }
}

/** `qat.rules[0].with` as ["qat", "rules", 0, "with"]. */
const parsePath = (text: string): ReadonlyArray<Segment> =>
  text
    .replaceAll(/\[(\d+)\]/g, ".$1")
    .split(".")
    .map((segment) => (/^\d+$/.test(segment) ? Number(segment) : segment))

/** The recipe's own fields, and each stage under its name and under its place. */
const rootFields = (registry: ReadonlyArray<Registered>, recipe: Json): ReadonlyArray<Field> => {
  const { stages: _stages, ...own } = RecipeDocument.fields
  const top = fieldsOf(SchemaAST.toEncoded(Schema.Struct(own).ast), [])
  const stages = stagesInJson(recipe).flatMap(({ use, label }, index) => {
    const ast = registry.find(({ name }) => name === use)?.configAst
    return ast === undefined
      ? []
      : [
          { path: [label], ast },
          { path: ["stages", index], ast }
        ]
  })
  return [...top, ...stages]
}

const isPrefix = (prefix: ReadonlyArray<Segment>, path: ReadonlyArray<Segment>) =>
  prefix.length <= path.length && prefix.every((segment, index) => segment === path[index])

/** The fields that a written path means: several where a schema allows several forms, none where it knows no such path. */
const resolve = (roots: ReadonlyArray<Field>, path: ReadonlyArray<Segment>): ReadonlyArray<Field> => {
  const root = roots.find((candidate) => isPrefix(candidate.path, path))
  if (root === undefined || (root.path.length === path.length && SchemaAST.isObjects(root.ast))) return []
  return path
    .slice(root.path.length)
    .reduce<ReadonlyArray<Field>>((fields, segment) => fields.flatMap((field) => step(field, segment)), [root])
}

const step = ({ ast, path }: Field, segment: Segment): ReadonlyArray<Field> => {
  const next = [...path, segment]
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap((type) => step({ ast: type, path }, segment))
  if (SchemaAST.isSuspend(ast)) return step({ ast: ast.thunk(), path }, segment)
  if (SchemaAST.isArrays(ast)) {
    const element = typeof segment === "number" ? (ast.elements[segment] ?? ast.rest[0]) : undefined
    return element === undefined ? [] : [{ path: next, ast: element }]
  }
  if (!SchemaAST.isObjects(ast)) return []
  const named = ast.propertySignatures.find(({ name }) => name === String(segment))
  const type = named?.type ?? ast.indexSignatures[0]?.type
  return type === undefined ? [] : [{ path: next, ast: type }]
}

const fieldsOf = (ast: SchemaAST.AST, path: ReadonlyArray<Segment>): ReadonlyArray<Field> =>
  propertiesOf(ast).map(({ name, type }) => ({ path: [...path, name], ast: type }))

/** All paths at and below a field, for messages. */
const pathsBelow = ({ ast, path }: Field, depth: number): ReadonlyArray<ReadonlyArray<Segment>> => {
  const below = depth === 0 ? [] : fieldsOf(ast, path).flatMap((field) => pathsBelow(field, depth - 1))
  return below.length === 0 ? [path] : below
}

/** JSON where that is what the field takes, otherwise the text itself: `name=3` is a text, `steps=3` a number. */
const parseValue = (fields: ReadonlyArray<Field>, text: string): Json => {
  const accepted = (value: Json) => fields.some(({ ast }) => accepts(ast, value))
  const json = decodeJson(text)
  if (json !== undefined && accepted(json)) return json
  const namesScheme = fields.some(({ ast }) => ast.annotations?.schemes === true)
  return accepted(text) || json === undefined || (namesScheme && typeof json === "number") ? text : json
}
/** Where a field is in the JSON: a stage named by its label is at its place. */
const placeOf = (recipe: Json, [first, ...rest]: ReadonlyArray<Segment>): ReadonlyArray<Segment> => {
  const index = stagesInJson(recipe).findIndex(({ label }) => label === first)
  return index < 0 ? [first ?? "", ...rest] : ["stages", index, ...rest]
}

const replaceAt = (json: Json | undefined, [first, ...rest]: ReadonlyArray<Segment>, value: Json): Json => {
  if (first === undefined) return value
  if (isJsonArray(json) && typeof first === "number") {
    const copy = [...json]
    copy[first] = replaceAt(json[first], rest, value)
    return copy
  }
  const object = isJsonObject(json) ? json : {}
  return { ...object, [first]: replaceAt(object[first], rest, value) }
}
