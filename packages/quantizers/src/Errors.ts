/** What can go wrong when layers are given quantizers. */
import { didYouMean } from "@speedq/formats"
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

/** A rule that decides no layer: a misspelt pattern, or a rule behind a wider one, must not pass silently. */
export class RuleUnused extends Schema.TaggedError<RuleUnused>()("RuleUnused", {
  rule: Schema.Number,
  match: Schema.String,
  /** Layers that the pattern matches; earlier rules have taken them all. */
  matched: Schema.Number,
  /** Those earlier rules. */
  takenBy: Schema.Array(Schema.Number),
  /** Some layers that it could have meant. */
  candidates: Schema.Array(Schema.String),
  /** What layers the rule is for, as "language linear", and what layers are decided. */
  concerns: Schema.String,
  decided: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const rule = `rule ${this.rule} ("${this.match}")`
    if (this.matched > 0) {
      return `${rule} decides nothing: rule ${this.takenBy.join(", ")} comes first and takes all ${this.matched} layers that it matches; move it before that rule`
    }
    const reason =
      this.candidates.length === 0
        ? `it is for ${this.concerns} layers, and those decided here are ${this.decided.join(", ")} layers`
        : `the model has ${this.candidates.join(", ")}`
    return `${rule} matches no layer; ${reason}`
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
    return `there is no quantizer "${this.use}"${didYouMean(this.use, this.known)}; known quantizers: ${this.known.join(", ")}; load your own with --plugin FILE, or pass it as an extension of the run`
  }
}

/** Which plugin a file speaks of, as far as it says so. */
const ofPlugin = (plugin: string | undefined): string => (plugin === undefined ? "" : ` of the plugin ${plugin}`)

/** A file of quantized weights whose quantizer this program was not given. The file itself is whole. */
export class QuantizerMissing extends Schema.TaggedError<QuantizerMissing>()("QuantizerMissing", {
  file: Schema.String,
  use: Schema.String,
  version: Schema.Number,
  plugin: Schema.optionalKey(Schema.String),
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const made = `made with quantizer "${this.use}" (version ${this.version})${ofPlugin(this.plugin)}`
    const given = `known quantizers: ${this.known.join(", ")}`
    return `${this.file}: ${made}, which is not loaded; ${given}; add --plugin ${this.plugin ?? "FILE"}, or pass it as an extension`
  }
}

/** A file of quantized weights made by another version of a quantizer: its numbers would be taken for something else. */
export class QuantizerVersionDiffers extends Schema.TaggedError<QuantizerVersionDiffers>()("QuantizerVersionDiffers", {
  file: Schema.String,
  use: Schema.String,
  written: Schema.Number,
  known: Schema.Number,
  plugin: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const made = `made by version ${this.written} of quantizer "${this.use}"${ofPlugin(this.plugin)}`
    return `${this.file}: ${made}, but this is version ${this.known}, which reads the stored numbers differently; use version ${this.written}, or quantize the model again`
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
    return `${this.layer}: ${this.nan} NaN and ${this.infinite} infinite weights, the first at [${this.firstIndex.join(", ")}]; the checkpoint, or what an earlier stage saved, is damaged: copy the checkpoint again, or run the stage again`
  }
}

/** A finite weight that is too large for the scales of the stored format. */
export class WeightTooLarge extends Schema.TaggedError<WeightTooLarge>()("WeightTooLarge", {
  layer: Schema.String,
  use: Schema.String,
  count: Schema.Number,
  largest: Schema.Number,
  limit: Schema.Number,
  firstIndex: Schema.Array(Schema.Number)
}) {
  override get message(): string {
    return `${this.layer}: ${this.count} weights exceed +-${this.limit}, the limit of the scales of "${this.use}"; the largest is ${this.largest}, the first at [${this.firstIndex.join(", ")}]; store scales in f32 or check the checkpoint`
  }
}

/** Stored numbers of a quantized weight, its scales, that are no numbers. */
export class ScaleNotFinite extends Schema.TaggedError<ScaleNotFinite>()("ScaleNotFinite", {
  layer: Schema.String,
  use: Schema.String,
  /** The quantizer's name for them. */
  stored: Schema.String,
  nan: Schema.Number,
  infinite: Schema.Number,
  firstIndex: Schema.Array(Schema.Number)
}) {
  override get message(): string {
    const numbers = `${this.nan} NaN and ${this.infinite} infinite numbers`
    return `${this.layer}: "${this.stored}" of quantizer "${this.use}" has ${numbers}, the first at [${this.firstIndex.join(", ")}]; the weight is damaged, or too large for the stored format: check the weight, or store scales in f32`
  }
}

/** Calibration without enough tokens. */
export class CalibrationEmpty extends Schema.TaggedError<CalibrationEmpty>()("CalibrationEmpty", {
  source: Schema.String,
  tokens: Schema.Number,
  needed: Schema.Number
}) {
  override get message(): string {
    return `${this.source} gives ${this.tokens} tokens of calibration data, but ${this.needed} are needed; give more data or lower the number of tokens`
  }
}

/** A Hessian that GPTQ cannot invert, or that holds numbers that are none. */
export class HessianNotDefinite extends Schema.TaggedError<HessianNotDefinite>()("HessianNotDefinite", {
  layer: Schema.String,
  /** Input column at which the factorization stopped, and what was left of its diagonal. */
  column: Schema.Number,
  pivot: Schema.Number,
  damping: Schema.Number
}) {
  override get message(): string {
    const where = `the Hessian of ${this.layer} is not positive definite: ${this.pivot} is left at column ${this.column}, with a damping of ${this.damping}`
    return Number.isNaN(this.pivot)
      ? `${where}; an input of the layer is no number: check the weights of the model and the calibration data`
      : `${where}; raise damping, or give more calibration data`
  }
}

/** A line of a calibration file that holds no text. */
export class CalibrationInvalid extends Schema.TaggedError<CalibrationInvalid>()("CalibrationInvalid", {
  source: Schema.String,
  line: Schema.Number,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.source}, line ${this.line}: ${this.reason}`
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
