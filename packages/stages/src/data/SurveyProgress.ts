/** Told how far a look at the pictures of a data set is: its name, records looked at, and all of them. */
import * as Context from "effect/Context"

export const SurveyProgress = Context.Reference<(dataset: string, done: number, all: number) => void>(
  "@speedq/stages/SurveyProgress",
  { defaultValue: () => () => {} }
)
