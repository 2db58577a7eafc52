/** What is told of a micro-batch besides its numbers: what the tally and the events of a stage need, wherever it was computed. */
import * as Schema from "effect/Schema"
import type { MicroBatch } from "./SampleLoader.ts"

export const MicroBatchFacts = Schema.Struct({
  /** Sample whose record each row was made of. */
  made: Schema.Array(Schema.Int),
  /** Labels of each row, and tokens that were cut off it. */
  answerTokens: Schema.Array(Schema.Int),
  cut: Schema.Array(Schema.Int),
  /** Records that were passed over. */
  substituted: Schema.Array(
    Schema.Struct({
      sample: Schema.Int,
      at: Schema.UndefinedOr(Schema.String),
      reason: Schema.String,
      by: Schema.Int
    })
  )
})
export type MicroBatchFacts = typeof MicroBatchFacts.Type

export const factsOf = ({ made, answerTokens, cut, substituted }: MicroBatch): MicroBatchFacts => ({
  made,
  answerTokens,
  cut,
  substituted
})
