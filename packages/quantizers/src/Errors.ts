/** What can go wrong when layers are given quantizers. */
import * as Schema from "effect/Schema"

const Offender = Schema.Struct({ layer: Schema.String, shape: Schema.Array(Schema.Number), reason: Schema.String })

/** Some layers cannot be cut into the groups that their quantizer wants. All of them are listed. */
export class GroupSizeIndivisible extends Schema.TaggedError<GroupSizeIndivisible>()("GroupSizeIndivisible", {
  offenders: Schema.Array(Offender)
}) {
  override get message(): string {
    const lines = this.offenders.map(({ layer, shape, reason }) => `  ${layer} [${shape.join(", ")}]: ${reason}`)
    return `${lines.length} layers do not fit their quantizer; choose other group sizes or exclude them by a rule with "none":\n${lines.join("\n")}`
  }
}

/** A rule that no layer matches: a misspelt pattern must not pass silently. */
export class RuleUnused extends Schema.TaggedError<RuleUnused>()("RuleUnused", {
  rule: Schema.Number,
  match: Schema.String,
  candidates: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `rule ${this.rule} ("${this.match}") matches no layer that an earlier rule has not taken; there are for example ${this.candidates.join(", ")}`
  }
}

/** A pattern that is no valid /regex/. */
export class PatternInvalid extends Schema.TaggedError<PatternInvalid>()("PatternInvalid", {
  match: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `pattern "${this.match}" is not a regular expression: ${this.reason}`
  }
}

/** A quantizer id that is not in the registry. */
export class UnknownQuantizer extends Schema.TaggedError<UnknownQuantizer>()("UnknownQuantizer", {
  use: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `there is no quantizer "${this.use}"; known are ${this.known.join(", ")}`
  }
}

/** Options that the quantizer's own schema refuses. */
export class QuantizerConfigInvalid extends Schema.TaggedError<QuantizerConfigInvalid>()("QuantizerConfigInvalid", {
  use: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `options of quantizer "${this.use}": ${this.issue}`
  }
}

/** A weight with NaN or infinite entries cannot be quantized. */
export class NonFiniteWeight extends Schema.TaggedError<NonFiniteWeight>()("NonFiniteWeight", {
  layer: Schema.String,
  nan: Schema.Number,
  infinite: Schema.Number,
  firstIndex: Schema.Array(Schema.Number)
}) {
  override get message(): string {
    return `${this.layer}: ${this.nan} NaN and ${this.infinite} infinite weights, the first at [${this.firstIndex.join(", ")}]; the checkpoint or an earlier stage is damaged`
  }
}

/** Calibration without enough tokens. */
export class CalibrationEmpty extends Schema.TaggedError<CalibrationEmpty>()("CalibrationEmpty", {
  source: Schema.String,
  tokens: Schema.Number,
  needed: Schema.Number
}) {
  override get message(): string {
    return `${this.source} gives ${this.tokens} tokens of calibration text, ${this.needed} are needed; give a longer file or lower the number of samples`
  }
}

/** A packed container that this program cannot read. */
export class PackedInvalid extends Schema.TaggedError<PackedInvalid>()("PackedInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}
