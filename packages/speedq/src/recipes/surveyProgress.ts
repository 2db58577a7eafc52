/** Tells on standard error how far a look at the pictures of a large data set is. */
import { printableLine } from "@speedq/formats"
import { isTerminal } from "@speedq/pipeline"
import { SurveyProgress } from "@speedq/stages"
import * as Effect from "effect/Effect"

/** Records of a data set that takes no time worth telling, and between two numbers that are told. */
const few = 10_000

const tell = (dataset: string, done: number, all: number): void => {
  if (all < few || (done < all && done % few >= 32)) return
  const line = printableLine(`looking at the pictures of ${dataset}: ${done} of ${all} records`)
  if (isTerminal(process.stderr)) process.stderr.write(`\r${line}${done < all ? "" : "\n"}`)
  else process.stderr.write(`${line}\n`)
}

export const tellingSurveys = Effect.provideService(SurveyProgress, tell)
