/** `compat` for a whole recipe: the default of every stage's own, written into its configuration, so that its key and its records hold it. */
import * as Result from "effect/Result"
import type { JsonObject } from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type { RecipeProblem } from "../Errors.ts"
import { accepts } from "../json/accepts.ts"
import type { RecipeSettings } from "../settings/RecipeSettings.ts"
import type { AnyStage } from "../stage/contract.ts"
import { propertiesOf } from "./propertiesOf.ts"

const name = "compat"

/** Whether stages of these options have one called `compat` that takes the value. */
const takes = (configAst: SchemaAST.AST, value: string): boolean =>
  propertiesOf(configAst).some((property) => property.name === name && accepts(property.type, value))

/** The stage as it is in a recipe with these settings; what is wrong where its options do not go with the recipe's `compat`. */
export const underCompat = <S extends AnyStage<unknown, unknown>>(
  stage: S,
  { compat }: Pick<RecipeSettings, "compat">
): Result.Result<S, ReadonlyArray<RecipeProblem>> => {
  const { kind, written } = stage
  if (compat === undefined || name in written || !takes(kind.configAst, compat)) return Result.succeed(stage)
  return Result.map(kind.decode({ ...written, [name]: compat }), (made) => ({ ...made, written }) as unknown as S)
}

/** A stage's configuration as a recipe's JSON holds it: without a `compat` that it leaves to the recipe. */
export const withoutInherited = (config: JsonObject, written: JsonObject): JsonObject => {
  const { [name]: _inherited, ...own } = config
  return name in written ? config : own
}
