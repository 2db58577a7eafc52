/**
 * Several variants of one recipe, each with several seeds:
 * `{ "version": 1, "name": ..., "base": "nano-2bit.json", "seeds": [1, 2, 3], "variants": [{ "name": "CE only", "set": ["qat.loss.cakld=0"] }] }`.
 */
import { option, optionalOption, requiredOption, strictDecoder } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Json, JsonObject } from "effect/Schema"
import * as Schema from "effect/Schema"
import { Name, sameDirectory } from "../directory/Name.ts"
import { RecipeInvalid, type RecipeProblem } from "../Errors.ts"
import { isJsonObject } from "../json/canonicalJson.ts"
import { applyOverrides } from "../recipe/overrides.ts"
import { propertiesOf } from "../recipe/propertiesOf.ts"
import { decode } from "../recipe/recipeJson.ts"
import type { AnyRecipe } from "../recipe/recipeValue.ts"
import { stagesInJson } from "../recipe/stageLabels.ts"
import { CountOrNone } from "../settings/options.ts"
import type { Registered } from "../stage/contract.ts"

const Changes = {
  set: option(Schema.Array(Schema.String), [], {
    description:
      "Settings as `--set` takes them, for example `qat.loss.cakld=0`; stages go by their names in the base recipe."
  }),
  without: option(Schema.Array(Schema.String), [], { description: "Stages of the base recipe that are left out." }),
  replace: option(
    Schema.Record(Schema.String, Schema.JsonObject),
    {},
    {
      description:
        "Stages of the base recipe by name, with the options that change in them. Options that are not named stay. `use` changes the kind of stage: then those stay that the new kind has, too."
    }
  )
}

const Seeds = Schema.NonEmptyArray(CountOrNone)

export const AblationDocument = Schema.Struct({
  version: requiredOption(Schema.Literal(1), { description: "Version of this format." }),
  $schema: optionalOption(Schema.String, { description: "For editors: where the JSON Schema of recipes is." }),
  name: requiredOption(Name, {
    description: "Name of the ablation, for run directories and reports."
  }),
  base: requiredOption(Schema.NonEmptyString, {
    description: "Recipe that the variants change: a file, relative to this one."
  }),
  seeds: requiredOption(Seeds, {
    description: "Every variant is run with each of these seeds, unless it says otherwise."
  }),
  /** Changes for all variants, made before their own. */
  ...Changes,
  variants: requiredOption(
    Schema.NonEmptyArray(
      Schema.Struct({
        name: requiredOption(Name, { description: "Name of the variant in tables." }),
        seeds: optionalOption(Seeds, {
          description: "Those of the ablation's seeds that this variant is run with.",
          source: "all of them"
        }),
        random: option(Schema.Boolean, true, {
          description:
            "Whether its results depend on the seed. Where nothing is drawn at random, as in full precision or rounding to nearest, `false` runs it with the first of its seeds alone, and the result stands for every seed.",
          source: "chosen here: results vary unless somebody says that they do not"
        }),
        against: optionalOption(Schema.NonEmptyString, {
          description: "Name of the variant that it is compared with.",
          source: "the first variant"
        }),
        ...Changes
      })
    ),
    {
      description:
        "What is compared, each with its changes. The first is what the others are compared with, unless they name another."
    }
  )
})
export type AblationDocument = typeof AblationDocument.Type

/** What is compared: `against` is the variant whose results its own are taken from; `random`, whether they depend on the seed. */
export interface Variant {
  readonly name: string
  readonly against: string | undefined
  readonly random: boolean
}

/** One run of an ablation. */
export interface AblationRun<out E = unknown, out R = unknown> {
  readonly variant: string
  readonly seed: number
  readonly recipe: AnyRecipe<E, R>
}

/** An ablation with its recipes decoded: seed by seed, the variants of that seed in their order. */
export interface Ablation<out E = unknown, out R = unknown> {
  readonly name: string
  readonly variants: readonly Variant[]
  readonly seeds: readonly number[]
  readonly runs: ReadonlyArray<AblationRun<E, R>>
}

type ErrorOf<D> = D extends Registered<infer E, infer _R> ? E : never
type ServicesOf<D> = D extends Registered<infer _E, infer R> ? R : never

/** Whether a file that `speedq run` is given is an ablation and not a recipe. */
export const isAblation = (json: unknown): boolean => isJsonObject(json as Json) && "variants" in (json as object)

const decodeDocument = strictDecoder(AblationDocument)

/** The base recipe's file, which the caller reads. Fails with RecipeInvalid. */
export const decodeAblationDocument = (json: unknown): Effect.Effect<AblationDocument, RecipeInvalid> => {
  const document = decodeDocument(json)
  return Result.isFailure(document)
    ? Effect.fail(new RecipeInvalid({ problems: document.failure }))
    : Effect.succeed(document.success)
}

type VariantDocument = AblationDocument["variants"][number]

/** The seeds that a variant is run with. */
const seedsOf = ({ seeds }: AblationDocument, variant: VariantDocument): readonly number[] => {
  const own = variant.seeds ?? seeds
  return variant.random ? own : own.slice(0, 1)
}

/** Variants that would have one directory. */
const namedTwice = (names: readonly string[]): readonly RecipeProblem[] =>
  names.flatMap((each, index) => {
    const before = names.slice(0, index).find((other) => sameDirectory(other, each))
    if (before === undefined) return []
    const issue = before === each ? `two are called "${each}"` : `"${before}" and "${each}" would have one directory`
    return [{ path: "variants", issue }]
  })

/** Seeds that the ablation does not have, and names of variants that there are not. */
const unknownNames = ({ seeds, variants }: AblationDocument): readonly RecipeProblem[] =>
  variants.flatMap(({ name, seeds: own = [], against }) => {
    const foreign = own.filter((seed) => !seeds.includes(seed))
    const others = variants.flatMap((other) => (other.name === name ? [] : [other.name]))
    const issues = [
      ...(foreign.length === 0
        ? []
        : [`seeds ${foreign.join(", ")} are not among the ablation's, which are ${seeds.join(", ")}`]),
      ...(against === undefined || others.includes(against)
        ? []
        : [`there is no other variant "${against}"; there are ${others.map((other) => `"${other}"`).join(", ")}`])
    ]
    return issues.map((issue) => ({ path: `variant "${name}"`, issue }))
  })

type Changed = Pick<AblationDocument, "set" | "without" | "replace">

/** Stages that are to be left out or replaced and that the base recipe does not have. */
const unknownStages = (base: Json, { without, replace }: Changed, path: string): readonly RecipeProblem[] => {
  const labels = stagesInJson(base).map(({ label }) => label)
  return [...without, ...Object.keys(replace)]
    .filter((name) => !labels.includes(name))
    .map((name) => ({ path, issue: `the base recipe has no stage "${name}"; it has ${labels.join(", ")}` }))
}

/** A stage with the options that change. One that becomes another kind keeps the options that this kind has, too. */
const replaced = (registry: ReadonlyArray<Registered>, stage: JsonObject, change: JsonObject): Json => {
  const kind = registry.find(({ name }) => name === change.use)
  if (kind === undefined || change.use === stage.use) return { ...stage, ...change }
  const known = new Set(propertiesOf(kind.configAst).map(({ name }) => name))
  return { ...Object.fromEntries(Object.entries(stage).filter(([name]) => known.has(name))), ...change }
}

/** Replaces and leaves out stages, which are named as they are in `json`. */
const rearranged = (registry: ReadonlyArray<Registered>, json: Json, changes: readonly Changed[]): Json => {
  if (!isJsonObject(json) || !Array.isArray(json.stages)) return json
  const labels = stagesInJson(json).map(({ label }) => label)
  const without = new Set(changes.flatMap((change) => change.without))
  const changed = new Map(changes.flatMap((change) => Object.entries(change.replace)))
  const stages = (json.stages as readonly Json[]).flatMap((stage, index) => {
    const label = labels[index] ?? ""
    if (without.has(label)) return []
    return [isJsonObject(stage) ? replaced(registry, stage, changed.get(label) ?? {}) : stage]
  })
  return { ...json, stages }
}

/** The recipes of an ablation of `base`. Fails with RecipeInvalid, which names the variant. */
export const decodeAblation = <const Registry extends ReadonlyArray<Registered>>(
  registry: Registry,
  document: AblationDocument,
  base: Json
): Effect.Effect<Ablation<ErrorOf<Registry[number]>, ServicesOf<Registry[number]>>, RecipeInvalid> =>
  Effect.gen(function* () {
    const { name, variants, seeds } = document
    const problems = [
      ...namedTwice(variants.map((variant) => variant.name)),
      ...unknownNames(document),
      ...unknownStages(base, document, "the ablation"),
      ...variants.flatMap((variant) => unknownStages(base, variant, `variant "${variant.name}"`))
    ]
    if (problems.length > 0) return yield* new RecipeInvalid({ problems })
    const runs: Array<AblationRun<ErrorOf<Registry[number]>, ServicesOf<Registry[number]>>> = []
    for (const seed of seeds) {
      for (const variant of variants.filter((each) => seedsOf(document, each).includes(seed))) {
        const told = Effect.mapError(
          ({ problems: found }: RecipeInvalid) =>
            new RecipeInvalid({
              problems: found.map(({ path, issue }) => ({ path: `variant "${variant.name}": ${path}`, issue }))
            })
        )
        const settings = [...document.set, ...variant.set, `seed=${seed}`]
        const set = yield* told(applyOverrides(registry, base, settings))
        const named = rearranged(registry, set, [document, variant])
        const titled = isJsonObject(named) ? { ...named, name: `${name}: ${variant.name}, seed ${seed}` } : named
        runs.push({ variant: variant.name, seed, recipe: yield* told(decode(registry, titled)) })
      }
    }
    const first = variants[0].name
    const compared = variants.map(({ name: own, against = own === first ? undefined : first, random }) => ({
      name: own,
      against,
      random
    }))
    return { name, variants: compared, seeds, runs }
  })
