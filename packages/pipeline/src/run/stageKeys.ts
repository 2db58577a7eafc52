/** The keys of a recipe's stages: each from the stage itself, the recipe's seed, and the keys of the stages whose artefacts it takes. */
import * as Effect from "effect/Effect"
import { makeKey } from "../checkpoints/StageKey.ts"
import { type AnyRecipe, labelled } from "../recipe/recipeValue.ts"
import type { AnyStage } from "../stage/contract.ts"
import { arithmeticOf } from "./StageArithmetic.ts"

/** The key of the stage that gives each artefact, by the artefact's name. */
type Given = ReadonlyMap<string, string>

/** The artefacts that a stage takes, of those that are there. */
export const inputsOf = <E, R>({ needs, uses }: AnyStage<E, R>, given: ReadonlyMap<string, unknown>) =>
  [...needs, ...uses].filter(({ name }) => given.has(name))

/** The key of one stage. Fails with what the stage fails with when it looks at its data. */
export const keyOf = Effect.fnUntraced(function* <E, R>(
  { settings }: AnyRecipe<E, R>,
  { stage, label }: { readonly stage: AnyStage<E, R>; readonly label: string },
  given: Given
) {
  const { arithmetic } = yield* arithmeticOf(settings, label)
  return makeKey({
    stage: label,
    version: stage.version,
    config: stage.keyConfig,
    // Results in f32 have the keys that they had before there was another arithmetic.
    versions: { ...(yield* stage.versions(settings)), ...(arithmetic === "f32" ? {} : { arithmetic }) },
    seed: settings.seed,
    inputs: Object.fromEntries(inputsOf(stage, given).map(({ name }) => [name, given.get(name) ?? ""])),
    data: yield* stage.fingerprint(settings)
  })
})

/**
 * The keys that the stages from the one at `first` on will have, by place, if nothing that they read changes before their turn
 * comes. They end before a stage that cannot look at its data, which is where the run would end, too.
 */
export const expectedKeys = Effect.fn("expectedKeys")(function* <E, R>(
  recipe: AnyRecipe<E, R>,
  first = 0,
  before: Given = new Map()
) {
  const keys: { [place: string]: string } = {}
  const given = new Map(before)
  for (const { stage, label, place } of labelled(recipe.stages).slice(first)) {
    const key = yield* Effect.option(keyOf(recipe, { stage, label }, given))
    if (key._tag === "None") break
    keys[place] = key.value.id
    for (const { name } of stage.gives) given.set(name, key.value.id)
  }
  return keys
})
