/** A recipe as a value: settings and stages, with what they have made so far as a type. */
import { strictDecoder, writtenAs } from "@speedq/formats"
import * as Pipeable from "effect/Pipeable"
import * as Result from "effect/Result"
import { RecipeInvalid, type RecipeProblem } from "../Errors.ts"
import { RecipeSettings } from "../settings/RecipeSettings.ts"
import type { AnyArtefact } from "../stage/Artefact.ts"
import type { AnyStage, Stage } from "../stage/contract.ts"
import { underCompat } from "./recipeCompat.ts"
import type { RecipeOptions } from "./recipeOptions.ts"
import { placeName, uniqueLabels } from "./stageLabels.ts"

declare const artefacts: unique symbol
declare const last: unique symbol

/**
 * `Artefacts` is what the stages give together, by name; `Last` what the last one gives, which is what a run returns.
 * `E` and `R` are the errors and services of all stages.
 */
export interface Recipe<out Artefacts, out Last, out E = never, out R = never> extends Pipeable.Pipeable {
  readonly settings: RecipeSettings
  readonly stages: ReadonlyArray<AnyStage<E, R>>
  readonly [artefacts]?: Artefacts
  readonly [last]?: Last
}

/** Any recipe, when it does not matter what it makes. */
export interface AnyRecipe<out E = unknown, out R = unknown> extends Recipe<unknown, unknown, E, R> {}

/** What a recipe without stages has. */
export type Nothing = Readonly<Record<never, never>>

const build = <A, L, E, R>(settings: RecipeSettings, stages: ReadonlyArray<AnyStage<E, R>>): Recipe<A, L, E, R> =>
  Object.assign(Object.create(Pipeable.Prototype) as Pipeable.Pipeable, { settings, stages })

const decodeSettings = strictDecoder(writtenAs<RecipeOptions>()(RecipeSettings))

/** A recipe without stages. `settings` is what a recipe file has besides them. Throws RecipeInvalid. */
export const make = (settings: RecipeOptions): Recipe<Nothing, Nothing> => {
  const decoded = decodeSettings(settings)
  if (Result.isFailure(decoded)) throw new RecipeInvalid({ problems: decoded.failure })
  return build(decoded.success, [])
}

/** What `gives` replaces of what is there. */
type With<A, Out> = {
  readonly [K in keyof A | keyof Out]: K extends keyof Out ? Out[K] : K extends keyof A ? A[K] : never
}

/**
 * Appends a stage. Does not compile when no earlier stage gives what it needs; throws RecipeInvalid where types did not look.
 *
 * @example Recipe.make({ name: "mine", model: "models/nano" }).pipe(Recipe.andThen(AdaRoundVit.stage({})))
 */
export const andThen =
  <In, Out, E2, R2>(stage: Stage<In, Out, E2, R2>) =>
  <A extends In, L, E, R>(recipe: Recipe<A, L, E, R>): Recipe<With<A, Out>, Out, E | E2, R | R2> => {
    const problems = orderProblems(recipe.stages, stage, stage.name, [])
    if (problems.length > 0) throw new RecipeInvalid({ problems })
    const fitting = underCompat(stage, recipe.settings)
    if (Result.isFailure(fitting)) throw new RecipeInvalid({ problems: fitting.failure })
    return build<With<A, Out>, Out, E | E2, R | R2>(recipe.settings, [...recipe.stages, fitting.success])
  }

/** A recipe from stages whose order was checked by `orderProblems`. */
export const fromStages = <E, R>(settings: RecipeSettings, stages: ReadonlyArray<AnyStage<E, R>>): AnyRecipe<E, R> =>
  build(settings, stages)

type Connected = Pick<AnyStage, "name" | "needs" | "uses" | "gives">

/**
 * What keeps `stage` from following `before`: an artefact that none of them gives, or that a stage gives as something else.
 * `known` are stages that could be put before it, for the message.
 */
export const orderProblems = (
  before: ReadonlyArray<Connected>,
  stage: Connected,
  path: string,
  known: ReadonlyArray<Pick<Connected, "name" | "gives">>
): ReadonlyArray<RecipeProblem> => {
  const available = new Map(before.flatMap(({ gives }) => gives.map((artefact) => [artefact.name, artefact])))
  const wrongKind = ({ name, description }: AnyArtefact) =>
    `takes "${name}" as ${description}, but an earlier stage gives it as ${available.get(name)?.description}`
  const missing = ({ name, description }: AnyArtefact) => {
    const givers = known.filter(({ gives }) => gives.some((artefact) => artefact.name === name))
    const advice = givers.length === 0 ? "" : `; put ${givers.map((giver) => giver.name).join(" or ")} before it`
    return `${stage.name} needs "${name}" (${description}), which no earlier stage gives${advice}`
  }
  const found = (artefact: AnyArtefact) => available.get(artefact.name)
  return [
    ...stage.needs.filter((artefact) => found(artefact) === undefined).map(missing),
    ...[...stage.needs, ...stage.uses]
      .filter((artefact) => found(artefact) !== undefined && found(artefact) !== artefact)
      .map(wrongKind)
  ].map((issue) => ({ path, issue }))
}

/** The stages of a recipe, each with a name that no other has and the name of its directory. */
export const labelled = <E, R>(stages: ReadonlyArray<AnyStage<E, R>>) => {
  const labels = uniqueLabels(stages.map(({ name }) => name))
  return stages.map((stage, index) => {
    const label = labels[index] ?? stage.name
    return { stage, label, place: placeName(index, label) }
  })
}
