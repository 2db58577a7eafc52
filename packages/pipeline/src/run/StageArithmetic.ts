/**
 * The arithmetic that stages compute in. The engine computes nothing: it knows what a recipe chooses, writes what that means into the
 * keys of results, and runs each stage within it. Whoever owns the backend says what a choice means there.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ArithmeticChoice, RecipeSettings } from "../settings/RecipeSettings.ts"

/** What a choice comes to. */
export interface Meaning {
  readonly arithmetic: "f32" | "bf16"
  /** What multiplies in bf16; why nothing does, where that was chosen or allowed. */
  readonly detail?: string
  /** Whether it cannot be had: `detail` says why and what to do. */
  readonly refused?: boolean
}

export const StageArithmetic = Context.Reference<{
  readonly meaningOf: (choice: ArithmeticChoice) => Effect.Effect<Meaning>
  /** Work in an arithmetic that was not refused. */
  readonly within: (
    arithmetic: Meaning["arithmetic"]
  ) => <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}>("@speedq/pipeline/StageArithmetic", {
  defaultValue: () => ({
    meaningOf: (choice) => Effect.succeed({ arithmetic: choice === "f32" ? "f32" : "bf16" }),
    within: () => (work) => work
  })
})

/** What a recipe chooses for the stage with a label. */
export const chosenArithmetic = ({ arithmetic }: Pick<RecipeSettings, "arithmetic">, label: string): ArithmeticChoice =>
  (typeof arithmetic === "object" ? arithmetic[label] : arithmetic) ?? "f32"

/** What it comes to on this machine. */
export const arithmeticOf = Effect.fnUntraced(function* (settings: Pick<RecipeSettings, "arithmetic">, label: string) {
  const { meaningOf } = yield* StageArithmetic
  return yield* meaningOf(chosenArithmetic(settings, label))
})

/** Names in a recipe's `arithmetic` that none of its stages has. */
export const unknownStages = (
  { arithmetic }: Pick<RecipeSettings, "arithmetic">,
  labels: ReadonlyArray<string>
): ReadonlyArray<string> =>
  typeof arithmetic === "object" ? Object.keys(arithmetic).filter((name) => !labels.includes(name)) : []
