/** What can go wrong when losses are chosen and computed. */
import { didYouMean } from "@speedq/formats"
import * as Schema from "effect/Schema"

/** No loss has this name. */
export class UnknownLoss extends Schema.TaggedError<UnknownLoss>()("UnknownLoss", {
  use: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `there is no loss "${this.use}"${didYouMean(this.use, this.known)}; known losses: ${this.known.join(", ")}; load your own with --plugin FILE, or pass it as an extension of the run`
  }
}

/** Options that the loss's own schema refuses. */
export class LossOptionsInvalid extends Schema.TaggedError<LossOptionsInvalid>()("LossOptionsInvalid", {
  use: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `options of loss "${this.use}": ${this.issue}`
  }
}

/** A loss reads teacher logits and no teacher was given. */
export class TeacherMissing extends Error {
  readonly _tag = "TeacherMissing"
  readonly loss: string
  constructor(loss: string) {
    super(
      `loss "${loss}" compares with a teacher, and none was given; give vocabularyLoss a teacher or leave the loss out`
    )
    this.name = this._tag
    this.loss = loss
  }
}

/** Hidden states of student and teacher have another width, so that they have no distance. */
export class HiddenMismatch extends Error {
  readonly _tag = "HiddenMismatch"
  constructor({ student, teacher }: { readonly student: number; readonly teacher: number }) {
    super(
      `hidden states of the teacher have ${teacher} channels, those of the student ${student}; leave the loss of hidden states out, or take a teacher of the same width`
    )
    this.name = this._tag
  }
}

/** Labels and hidden states do not have the same positions. */
export class LabelsMismatch extends Error {
  readonly _tag = "LabelsMismatch"
  constructor(details: {
    readonly labels: number
    readonly batch: number
    readonly length: number
    readonly rows: number
  }) {
    const { labels, batch, length, rows } = details
    super(
      `${labels} labels for ${batch} sequences of ${length} positions, and hidden states of ${rows}; all three must agree`
    )
    this.name = this._tag
  }
}
