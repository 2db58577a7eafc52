/** What can go wrong between a model directory and its network. */
import * as Schema from "effect/Schema"

const few = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : `\n  ${names.join("\n  ")}`)

/** The network asked for a weight that was not given. */
export class WeightMissing extends Schema.TaggedError<WeightMissing>()("WeightMissing", { name: Schema.String }) {
  override get message(): string {
    return `the network needs the weight "${this.name}", which was not loaded; check the selection of tensors`
  }
}

/** A checkpoint whose tensors are not those of its config. */
export class WeightsMismatch extends Schema.TaggedError<WeightsMismatch>()("WeightsMismatch", {
  file: Schema.String,
  missing: Schema.Array(Schema.String),
  unexpected: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.file}: ${this.missing.length} tensors are missing, ${this.unexpected.length} are unexpected; does config.json belong to this checkpoint?\nmissing: ${few(this.missing)}\nunexpected: ${few(this.unexpected)}`
  }
}

/** A tensor of another shape or element type than the config says. */
export class WeightShapeMismatch extends Schema.TaggedError<WeightShapeMismatch>()("WeightShapeMismatch", {
  file: Schema.String,
  name: Schema.String,
  expected: Schema.String,
  actual: Schema.String
}) {
  override get message(): string {
    return `${this.file}: tensor "${this.name}" is ${this.actual}, but config.json requires ${this.expected}`
  }
}

/** A checkpoint that another tool has quantized. */
export class WeightsQuantized extends Schema.TaggedError<WeightsQuantized>()("WeightsQuantized", {
  file: Schema.String,
  name: Schema.String
}) {
  override get message(): string {
    return `${this.file}: its weights are quantized already, as the tensor "${this.name}" says (GPTQ, AWQ, compressed-tensors or FP8); give the full-precision model that it was made of`
  }
}

/** A head that is another matrix than the embedding, though the config ties them. */
export class HeadNotTied extends Schema.TaggedError<HeadNotTied>()("HeadNotTied", {
  file: Schema.String,
  head: Schema.String,
  embedding: Schema.String
}) {
  override get message(): string {
    return `${this.file}: config.json has tie_word_embeddings, but the tensors "${this.head}" and "${this.embedding}" differ; set tie_word_embeddings to false if the head is meant to be used`
  }
}

/** config.json that is missing, no JSON, or not that of a model that can be computed. */
export class ModelConfigInvalid extends Schema.TaggedError<ModelConfigInvalid>()("ModelConfigInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

/** A prompt with more or fewer image tokens than its pictures give. */
export class ImageTokenMismatch extends Schema.TaggedError<ImageTokenMismatch>()("ImageTokenMismatch", {
  placeholders: Schema.Number,
  visualTokens: Schema.Number
}) {
  override get message(): string {
    return `the text has ${this.placeholders} image tokens, but the pictures give ${this.visualTokens}; each <image> stands for one picture`
  }
}

/** A tokenizer with more ids than the embedding has rows. */
export class VocabularyMismatch extends Schema.TaggedError<VocabularyMismatch>()("VocabularyMismatch", {
  directory: Schema.String,
  tokens: Schema.Number,
  rows: Schema.Number
}) {
  override get message(): string {
    return `${this.directory}: the tokenizer has ${this.tokens} ids, but the embedding has ${this.rows} rows; tokenizer and config.json belong to different models`
  }
}

/** A prompt that leaves no room for an answer in the model's context. */
export class PromptTooLong extends Schema.TaggedError<PromptTooLong>()("PromptTooLong", {
  tokens: Schema.Number,
  limit: Schema.Number
}) {
  override get message(): string {
    return `the prompt has ${this.tokens} tokens, but the model's context holds ${this.limit}, answer included (max_position_embeddings); use fewer or smaller pictures, or a shorter history`
  }
}

/** A network that computed no number. */
export class LogitsNotFinite extends Schema.TaggedError<LogitsNotFinite>()("LogitsNotFinite", {
  position: Schema.Number,
  value: Schema.String
}) {
  override get message(): string {
    return `the logit of the token chosen at position ${this.position} is ${this.value}; the weights are damaged, or their numbers overflow`
  }
}
