/** What can go wrong in evaluation besides the system's refusals (FileFailed of formats): every error names the file, the row where there is one, and what to do. */
import { didYouMean } from "@speedq/formats"
import * as Schema from "effect/Schema"

const where = (file: string, row?: number, index?: string): string =>
  `${file}${row === undefined ? "" : `, row ${row}`}${index === undefined ? "" : ` (index ${index})`}`

/** No benchmark has that name. */
export class UnknownBenchmark extends Schema.TaggedError<UnknownBenchmark>("@speedq/evaluation/UnknownBenchmark")(
  "UnknownBenchmark",
  {
    benchmark: Schema.String,
    known: Schema.Array(Schema.String)
  }
) {
  override get message(): string {
    return `unknown benchmark "${this.benchmark}"${didYouMean(this.benchmark, this.known)}; known benchmarks: ${this.known.join(", ")}; load your own with --plugin FILE, or pass it as an extension of the run`
  }
}

/** A name that cannot be part of a file's name. */
export class NameInvalid extends Schema.TaggedError<NameInvalid>("@speedq/evaluation/NameInvalid")("NameInvalid", {
  text: Schema.String
}) {
  override get message(): string {
    return `${JSON.stringify(this.text)} cannot name files; give the model a name without slashes`
  }
}

/** The data file of a benchmark is not there. */
export class DataFileMissing extends Schema.TaggedError<DataFileMissing>("@speedq/evaluation/DataFileMissing")(
  "DataFileMissing",
  { file: Schema.String, benchmark: Schema.String, url: Schema.optionalKey(Schema.String) }
) {
  override get message(): string {
    const source = this.url === undefined ? "" : `; ${this.benchmark} is published at ${this.url}`
    return `${this.file}: no such file${source}`
  }
}

/** A table (data file or predictions file) is not what its format says. */
export class TableInvalid extends Schema.TaggedError<TableInvalid>("@speedq/evaluation/TableInvalid")("TableInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

/** A table lacks a column that is needed. */
export class ColumnMissing extends Schema.TaggedError<ColumnMissing>("@speedq/evaluation/ColumnMissing")(
  "ColumnMissing",
  {
    file: Schema.String,
    column: Schema.String,
    neededBy: Schema.String,
    columns: Schema.Array(Schema.String)
  }
) {
  override get message(): string {
    return `${this.file}: no column "${this.column}", which ${this.neededBy} needs; the file has ${this.columns.join(", ")}`
  }
}

/** A row cannot be used. */
export class RowInvalid extends Schema.TaggedError<RowInvalid>("@speedq/evaluation/RowInvalid")("RowInvalid", {
  file: Schema.String,
  row: Schema.Number,
  index: Schema.optionalKey(Schema.String),
  column: Schema.optionalKey(Schema.String),
  reason: Schema.String
}) {
  override get message(): string {
    const column = this.column === undefined ? "" : `, column "${this.column}"`
    return `${where(this.file, this.row, this.index)}${column}: ${this.reason}`
  }
}

/** The answering function failed on a row; what was answered before is kept in the journal. */
export class RowNotAnswered extends Schema.TaggedError<RowNotAnswered>("@speedq/evaluation/RowNotAnswered")(
  "RowNotAnswered",
  {
    file: Schema.String,
    row: Schema.Number,
    index: Schema.String,
    reason: Schema.String,
    journal: Schema.String
  }
) {
  override get message(): string {
    return `${where(this.file, this.row, this.index)}: not answered: ${this.reason}; earlier answers are kept in ${this.journal}, run the same command again to continue`
  }
}

/** Raised by an {@link Answerer}: the model could not answer. */
export class AnswerFailed extends Schema.TaggedError<AnswerFailed>("@speedq/evaluation/AnswerFailed")("AnswerFailed", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/** A predictions file has a row that the data file does not have. */
export class PredictionForeign extends Schema.TaggedError<PredictionForeign>("@speedq/evaluation/PredictionForeign")(
  "PredictionForeign",
  {
    file: Schema.String,
    row: Schema.Number,
    index: Schema.String,
    benchmark: Schema.String
  }
) {
  override get message(): string {
    return `${where(this.file, this.row, this.index)}: the data of ${this.benchmark} has no row with this index; is this the predictions file of another data set?`
  }
}

/** A predictions file answers a row twice. */
export class PredictionDuplicate extends Schema.TaggedError<PredictionDuplicate>(
  "@speedq/evaluation/PredictionDuplicate"
)("PredictionDuplicate", {
  file: Schema.String,
  row: Schema.Number,
  index: Schema.String,
  first: Schema.Number
}) {
  override get message(): string {
    return `${where(this.file, this.row, this.index)}: row ${this.first} already answers this index; keep one of them`
  }
}

/** A predictions file says of most rows that they ask or expect something else than the data file does. */
export class PredictionsOfOthers extends Schema.TaggedError<PredictionsOfOthers>(
  "@speedq/evaluation/PredictionsOfOthers"
)("PredictionsOfOthers", {
  file: Schema.String,
  benchmark: Schema.String,
  differing: Schema.Number,
  compared: Schema.Number,
  row: Schema.Number,
  column: Schema.String,
  predicted: Schema.String,
  data: Schema.String
}) {
  override get message(): string {
    const [theirs, ours] = [this.predicted, this.data].map((text) => JSON.stringify(text.slice(0, 80)))
    return `${where(this.file, this.row)}: its ${this.column} is ${theirs}, but ${ours} in the data of ${this.benchmark}, and so in ${this.differing} of ${this.compared} rows; give the data file that these predictions were made for`
  }
}

/** A predictions file leaves rows out, and a complete one was asked for. */
export class PredictionsMissing extends Schema.TaggedError<PredictionsMissing>("@speedq/evaluation/PredictionsMissing")(
  "PredictionsMissing",
  {
    file: Schema.String,
    missing: Schema.Number,
    rows: Schema.Number,
    first: Schema.Array(Schema.Struct({ row: Schema.Number, index: Schema.String }))
  }
) {
  override get message(): string {
    const named = this.first.map(({ row, index }) => `row ${row} (index ${index})`).join(", ")
    const more = this.missing > this.first.length ? ", ..." : ""
    return `${this.file}: ${this.missing} of ${this.rows} rows of the data file have no prediction: ${named}${more}; answer them, or score the file as partial`
  }
}

/** Shards do not answer every row together. */
export class RowsMissing extends Schema.TaggedError<RowsMissing>("@speedq/evaluation/RowsMissing")("RowsMissing", {
  file: Schema.String,
  missing: Schema.Number,
  rows: Schema.Number,
  /** Indexes of some of them. */
  first: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const more = this.missing > this.first.length ? ", ..." : ""
    return `${this.file}: ${this.missing} of ${this.rows} rows have no answer in these journals: index ${this.first.join(", ")}${more}; give the journals of all shards, finish a shard by the command that began it, or ask the rows of a changed data file again`
  }
}

/** Two journals answer one row differently: one of them is not of this model, or was changed. */
export class AnswersDiffer extends Schema.TaggedError<AnswersDiffer>("@speedq/evaluation/AnswersDiffer")(
  "AnswersDiffer",
  {
    /** The row's index. */
    row: Schema.String,
    files: Schema.Tuple([Schema.String, Schema.String])
  }
) {
  override get message(): string {
    const [one, other] = this.files
    return `${one} and ${other} have different answers to row ${this.row}; leave one of them out, or ask its shard again in a new directory`
  }
}

/** The first of some rows with its reason, and where the others are. */
export const namedRows = ([first, ...others]: readonly [RowInvalid, ...RowInvalid[]]): string => {
  const named = others
    .slice(0, 5)
    .map(({ file, row, index = "" }) => `${file === first.file ? "" : `${file}, `}row ${row} (index ${index})`)
  const list = named.join(", ") + (others.length > named.length ? ", ..." : "")
  return others.length === 0 ? first.message : `${first.message}; ${others.length} more cannot be asked: ${list}`
}

/** Rows whose pictures cannot be read; every other row was asked, and its answer is kept. */
export class RowsUnreadable extends Schema.TaggedError<RowsUnreadable>("@speedq/evaluation/RowsUnreadable")(
  "RowsUnreadable",
  {
    rows: Schema.NonEmptyArray(RowInvalid),
    /** Journal, or directory of the stage. */
    keptIn: Schema.String
  }
) {
  override get message(): string {
    return `${namedRows(this.rows)}; all other rows are answered and kept in ${this.keptIn}: repair what is named, or take it out of the file, and run the same command again`
  }
}

/** The journal of an earlier run belongs to another benchmark, model or way of asking, or is of another version. */
export class JournalMismatch extends Schema.TaggedError<JournalMismatch>("@speedq/evaluation/JournalMismatch")(
  "JournalMismatch",
  {
    file: Schema.String,
    field: Schema.String,
    expected: Schema.String,
    actual: Schema.String
  }
) {
  override get message(): string {
    return `${this.file}: written for ${this.field} ${this.actual}, but this run has ${this.expected}; use another output directory, or remove the file to start over`
  }
}

/** No line of a journal is whole. */
export class JournalDamaged extends Schema.TaggedError<JournalDamaged>("@speedq/evaluation/JournalDamaged")(
  "JournalDamaged",
  {
    file: Schema.String,
    lines: Schema.Number
  }
) {
  override get message(): string {
    return `${this.file}: none of its ${this.lines} lines is a whole line of this run's journal; remove the file to start over, or use another output directory`
  }
}
