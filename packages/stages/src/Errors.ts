/** What can go wrong with the models, the data and the numbers of a quantization run. */
import * as Schema from "effect/Schema"

/** What something that was thrown says. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The model directory of a recipe cannot be used. */
export class ModelUnreadable extends Schema.TaggedError<ModelUnreadable>()("ModelUnreadable", {
  directory: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    const { directory, reason } = this
    // What is said of a file of the directory names it by its path already.
    return reason.startsWith(directory) ? `model ${reason}` : `model ${directory}: ${reason}`
  }
}

/** What was thrown at the model of a directory, as ModelUnreadable. */
export const modelUnreadable =
  (directory: string) =>
  (error: unknown): ModelUnreadable =>
    new ModelUnreadable({ directory, reason: reasonOf(error) })

/** A record or a file of the training data cannot be used. */
export class DataUnusable extends Schema.TaggedError<DataUnusable>()("DataUnusable", {
  reason: Schema.String,
  /** What to do about it; left out where the reason says that, too. */
  fix: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return this.fix === undefined ? this.reason : `${this.reason}; ${this.fix}`
  }
}

/** What was thrown at a record or a file, as DataUnusable. */
export const dataUnusable = (error: unknown): DataUnusable =>
  error instanceof DataUnusable ? error : new DataUnusable({ reason: reasonOf(error) })

/** None of the first samples of a stage has an answer to learn from. */
export class NothingToLearn extends Schema.TaggedError<NothingToLearn>()("NothingToLearn", {
  meta: Schema.String,
  samples: Schema.Int,
  /** How many have no answer at all, and of how many it was cut off at `maxLength`; the first of each. */
  withoutAnswer: Schema.Int,
  answerCut: Schema.Int,
  first: Schema.Array(Schema.String),
  maxLength: Schema.Int
}) {
  override get message() {
    const { samples, withoutAnswer, answerCut, maxLength } = this
    const cut = answerCut === 0 ? [] : [`${answerCut} were cut at maxLength ${maxLength} before their answers`]
    const without = withoutAnswer === 0 ? [] : [`${withoutAnswer} have no answer`]
    const fix = answerCut > 0 ? "raise data.maxLength or lower data.maxTiles" : "give records with answers"
    return `${this.meta}: there is nothing to learn from the first ${samples} samples (${[...cut, ...without].join(", ")}; see ${this.first.join(", ")}); ${fix}`
  }
}

/** A step with a parameter, gradient or loss that is NaN or infinite; nothing was updated. */
export class NonFiniteGradient extends Schema.TaggedError<NonFiniteGradient>()("NonFiniteGradient", {
  tensor: Schema.String,
  loss: Schema.Number,
  samples: Schema.Array(Schema.String)
}) {
  override get message() {
    return `${this.tensor} is not finite (loss ${this.loss}) on ${this.samples.join(", ")}; the step was not applied: lower the learning rate, or check these samples`
  }
}

/** Something that a recipe names, a rule, quantizer, loss or export format, is not there or does not fit the model. */
export class RulesInvalid extends Schema.TaggedError<RulesInvalid>()("RulesInvalid", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** A benchmark could not be run or scored. */
export class EvaluationFailed extends Schema.TaggedError<EvaluationFailed>()("EvaluationFailed", {
  title: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `evaluation "${this.title}": ${this.reason}`
  }
}

/** Features of frozen towers cannot be kept where a recipe wants them. Nothing but time is lost. */
export class FeatureStoreRefused extends Schema.TaggedError<FeatureStoreRefused>()("FeatureStoreRefused", {
  directory: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `features of frozen towers cannot be kept in ${this.directory}: ${this.reason}; the stage goes on and computes what it does not find there. Make room or give the right to write there, set features.directory to another place, or leave it out`
  }
}
