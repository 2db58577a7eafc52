/**
 * Schemes: lists that a recipe in JSON names once and stages use by name. Options that take them carry the annotation
 * `schemes: true`, options that are lists of such lists `schemes: "each"`; what is in the lists is the stages' business.
 *
 *   "schemes": { "w2g16": [{ "match": "**", "use": "bilevel", "with": { "bits": 2, "group": 16, "scaleGroup": 16 } }] }
 *   "quantizers": "w2g16"
 *   "quantizers": ["w2g16", ...]                              joined with other entries
 *   "quantizers": [{ "scheme": "w2g16", "tower": "vision" }]  each entry with these fields besides its own
 *   "candidates": ["w2g16", ["w4g32", ...]]                   each a list of its own
 */
import { formatPath, nearest, withDefault } from "@speedq/formats"
import * as Result from "effect/Result"
import type { Json, JsonObject } from "effect/Schema"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type { RecipeProblem } from "../Errors.ts"
import { isJsonArray, isJsonObject } from "../json/canonicalJson.ts"
import { propertiesOf } from "./propertiesOf.ts"

export const Schemes = Schema.Record(Schema.String, Schema.Array(Schema.Json))
export type Schemes = typeof Schemes.Type

/** Schemes of a recipe in JSON; what is wrong with them is reported by the recipe's own schema. */
export const schemesOf = (recipe: unknown): Schemes =>
  Result.getOrElse(decodeSchemes(recipe), () => ({ schemes: {} })).schemes
const decodeSchemes = Schema.decodeUnknownResult(Schema.Struct({ schemes: withDefault(Schemes, {}) }))

type Expanded = { readonly entries: ReadonlyArray<Json> } | { readonly issue: string }

const unknown = (name: string, schemes: Schemes): Expanded => {
  const names = Object.keys(schemes)
  const near = nearest(name, names)
  const advice =
    near.length > 0
      ? `did you mean ${near.join(", ")}?`
      : `known schemes: ${names.length === 0 ? "none" : names.join(", ")}`
  return { issue: `there is no scheme "${name}"; ${advice}` }
}

/** The entries of a scheme, those of the schemes that it names among them. `within` are the names that led here. */
const named = (name: string, schemes: Schemes, within: ReadonlyArray<string>): Expanded => {
  if (within.includes(name)) return { issue: `scheme "${name}" names itself: ${[...within, name].join(" -> ")}` }
  // A name such as "constructor" is one of every object.
  const list = Object.hasOwn(schemes, name) ? schemes[name] : undefined
  return list === undefined ? unknown(name, schemes) : expandList(list, schemes, [...within, name])
}

const expandEntry = (entry: Json, schemes: Schemes, within: ReadonlyArray<string>): Expanded => {
  if (typeof entry === "string") return named(entry, schemes, within)
  if (!isJsonObject(entry) || typeof entry.scheme !== "string") return { entries: [entry] }
  const { scheme, ...besides } = entry
  const expanded = named(scheme, schemes, within)
  if ("issue" in expanded) return expanded
  return { entries: expanded.entries.map((each) => (isJsonObject(each) ? { ...each, ...besides } : each)) }
}

const expandList = (list: ReadonlyArray<Json>, schemes: Schemes, within: ReadonlyArray<string>): Expanded => {
  const parts = list.map((entry) => expandEntry(entry, schemes, within))
  return (
    parts.find((part) => "issue" in part) ?? {
      entries: parts.flatMap((part) => ("entries" in part ? part.entries : []))
    }
  )
}

/** The value of an option, a list or the name of one. */
const expandValue = (value: Json | undefined, schemes: Schemes): Expanded | undefined => {
  const list = typeof value === "string" ? [value] : value
  return isJsonArray(list) ? expandList(list, schemes, []) : undefined
}

/** Several values, each of which stays a list of its own. */
const expandEach = (values: Json | undefined, schemes: Schemes): Expanded | undefined => {
  if (!isJsonArray(values)) return undefined
  const parts = values.map((value) => expandValue(value, schemes) ?? { entries: value })
  return (
    parts.find((part): part is { readonly issue: string } => "issue" in part) ?? {
      entries: parts.flatMap((part) => ("entries" in part ? [part.entries as Json] : []))
    }
  )
}

const expansions = [
  [true, expandValue],
  ["each", expandEach]
] as const

/** The options that take schemes, and how. */
const acceptingOptions = (ast: SchemaAST.AST) =>
  propertiesOf(ast).flatMap(({ name, type }) =>
    expansions.flatMap(([annotation, expand]) => (type.annotations?.schemes === annotation ? [{ name, expand }] : []))
  )

/** The options of a stage with the lists that it names put in their place, and what is wrong with the names. */
export const expandSchemes = (
  configAst: SchemaAST.AST,
  config: JsonObject,
  schemes: Schemes
): { readonly config: JsonObject; readonly problems: ReadonlyArray<RecipeProblem> } => {
  const problems: Array<RecipeProblem> = []
  const result: { [name: string]: Json } = { ...config }
  for (const { name, expand } of acceptingOptions(configAst)) {
    const expanded = expand(config[name], schemes)
    if (expanded === undefined) continue
    if ("issue" in expanded) problems.push({ path: formatPath([name]), issue: expanded.issue })
    else result[name] = expanded.entries
  }
  return { config: result, problems }
}
