/**
 * What a loss is to recipes: a name, options, and the loss of rows that they mean. Ours and those from outside are values of this
 * one interface; a new one is one file and one line in registry.ts, or an extension of the run.
 */
import type * as Schema from "effect/Schema"
import type { RowLoss } from "./RowLoss.ts"

/** What is known of the teacher when a loss is made. */
export interface LossContext {
  /** beta: its mean confidence, or the number that the recipe gives instead; in [0, 1], but for the reference's mean (docs/quirks.md#quirk-2). */
  readonly confidence: number
}

export interface Loss<C extends object = object> {
  /** What recipes call it. */
  readonly id: string
  /** Raised when the same options give other numbers; a part of the key of what is trained with it. */
  readonly version: number
  /** One sentence for help and reports. */
  readonly description: string
  /** Options; the encoded side is JSON. */
  readonly Config: Schema.Codec<C, unknown>
  /** Whether it reads the teacher's logits: a recipe none of whose losses does runs without teacher. */
  needsTeacher(config: C): boolean
  rowLoss(config: C, context: LossContext): RowLoss
}

/** A loss with its options. */
export interface LossChoice<C extends object = object> {
  readonly loss: Loss<C>
  readonly config: C
}
