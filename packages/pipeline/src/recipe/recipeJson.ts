/** Recipes in JSON: `{ "version": 1, "name": ..., "model": ..., "stages": [{ "use": "adaround-vit", ... }] }`. */
import { nearest, optionalOption, requiredOption, strictDecoder } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Json, JsonObject } from "effect/Schema"
import * as Schema from "effect/Schema"
import { RecipeInvalid, type RecipeProblem } from "../Errors.ts"
import { isJsonObject } from "../json/canonicalJson.ts"
import { RecipeSettings } from "../settings/RecipeSettings.ts"
import type { AnyStage, Registered } from "../stage/contract.ts"
import { underCompat, withoutInherited } from "./recipeCompat.ts"
import { type AnyRecipe, fromStages, orderProblems } from "./recipeValue.ts"
import { expandSchemes, Schemes, schemesOf } from "./schemes.ts"
import { namedPath, tooManyStages } from "./stageLabels.ts"

const stageFields = { use: requiredOption(Schema.String, { description: "Kind of stage." }) }
const StageEntry = Schema.StructWithRest(Schema.Struct(stageFields), [Schema.Record(Schema.String, Schema.Json)])

/** A recipe file before its stages are decoded. */
export const RecipeDocument = Schema.Struct({
  version: requiredOption(Schema.Literal(1), { description: "Version of this format." }),
  $schema: optionalOption(Schema.String, { description: "For editors: where the JSON Schema of recipes is." }),
  ...RecipeSettings.fields,
  schemes: optionalOption(Schemes, {
    description: "Lists of rules by name, which the options of stages that take rules may name."
  }),
  stages: requiredOption(Schema.NonEmptyArray(StageEntry), {
    description: "Stages in the order in which they run; `use` names the kind of stage, its options stand beside it."
  })
})

const decodeDocument = strictDecoder(RecipeDocument)
const encodeSettings = Schema.encodeSync(RecipeSettings)

type ErrorOf<D> = D extends Registered<infer E, infer _R> ? E : never
type ServicesOf<D> = D extends Registered<infer _E, infer R> ? R : never

/**
 * Decodes a recipe with the stages of `registry`. Fails with RecipeInvalid that lists every problem with its place, `08-qat.maxSteps`:
 * wrong or unknown fields, unknown stages, stages in an order that cannot work.
 */
export const decode = <const Registry extends ReadonlyArray<Registered>>(
  registry: Registry,
  json: unknown
): Effect.Effect<AnyRecipe<ErrorOf<Registry[number]>, ServicesOf<Registry[number]>>, RecipeInvalid> =>
  Effect.suspend(() => {
    const known = registry as ReadonlyArray<Registered<ErrorOf<Registry[number]>, ServicesOf<Registry[number]>>>
    const names = known.map(({ name }) => name)
    const twice = names.filter((name, index) => names.indexOf(name) !== index)
    if (twice.length > 0) throw new Error(`two kinds of stages are called ${twice.join(", ")}; rename one of each`)
    const tooMany = tooManyStages(json as Json)
    if (tooMany !== undefined) return Effect.fail(new RecipeInvalid({ problems: [{ path: "stages", issue: tooMany }] }))
    const document = decodeDocument(json)
    const outer = Result.isFailure(document) ? document.failure : []
    const entries = stageEntries(json)
    const schemes = schemesOf(json)
    const settings = Result.getOrElse(document, () => ({}))
    const places = entries.map((_, index) => namedPath({ stages: entries }, ["stages", index]))
    const stages = entries.map((entry, index) => decodeEntry(known, { schemes, settings }, entry, places[index]!))
    const inner = stages.flatMap((stage) => (Result.isFailure(stage) ? stage.failure : []))
    const decoded = stages.flatMap((stage) => (Result.isSuccess(stage) ? [stage.success] : []))
    // Order is only judged when every stage is known: otherwise one wrong name would make all that follow it wrong.
    const order =
      inner.length > 0
        ? []
        : decoded.flatMap((stage, index) => orderProblems(decoded.slice(0, index), stage, places[index]!, known))
    const problems = [...outer, ...inner, ...order]
    if (Result.isFailure(document) || problems.length > 0) return Effect.fail(new RecipeInvalid({ problems }))
    const { version: _version, $schema: _schema, schemes: _schemes, stages: _stages, ...whole } = document.success
    return Effect.succeed(fromStages(whole, decoded))
  })

/** The entries that look like stages; what does not is reported by the document's own schema. */
const stageEntries = (json: unknown): ReadonlyArray<{ readonly use: string } & JsonObject> => {
  const decoded = decodeEntries(json)
  return Result.isSuccess(decoded) ? decoded.success.stages : []
}
const decodeEntries = Schema.decodeUnknownResult(Schema.Struct({ stages: Schema.Array(StageEntry) }))

const decodeEntry = <E, R>(
  registry: ReadonlyArray<Registered<E, R>>,
  { schemes, settings }: { readonly schemes: Schemes; readonly settings: Pick<RecipeSettings, "compat"> },
  { use, ...config }: { readonly use: string } & JsonObject,
  base: string
): Result.Result<AnyStage<E, R>, ReadonlyArray<RecipeProblem>> => {
  const definition = registry.find(({ name }) => name === use)
  if (definition === undefined) {
    const names = registry.map(({ name }) => name)
    const near = nearest(use, names)
    const issue = `there is no stage "${use}"; ${near.length > 0 ? `did you mean ${near.join(", ")}?` : `known stages: ${names.join(", ")}`}`
    return Result.fail([{ path: `${base}.use`, issue }])
  }
  const below = ({ path, issue }: RecipeProblem) => ({ path: path === "" ? base : `${base}.${path}`, issue })
  const expanded = expandSchemes(definition.configAst, config, schemes)
  if (expanded.problems.length > 0) return Result.fail(expanded.problems.map(below))
  return definition.decode(expanded.config).pipe(
    Result.flatMap((stage) => underCompat(stage, settings)),
    Result.mapError((problems) => problems.map(below))
  )
}

/**
 * The recipe as it would stand in a file, defaults written out but for a `compat` that stages leave to the recipe.
 * `decode(registry, toJson(recipe))` is the same recipe.
 */
export const toJson = (recipe: AnyRecipe): Json => ({
  version: 1,
  ...encodeSettings(recipe.settings),
  stages: recipe.stages.map(({ name, config, written }) => ({
    use: name,
    ...(isJsonObject(config) ? withoutInherited(config, written) : {})
  }))
})
