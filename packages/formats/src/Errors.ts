/** What can go wrong with tensor files: thrown by the synchronous functions, in the error channel of the effects. */
import * as Schema from "effect/Schema"
import { refusalOf, refusalText } from "./files/refusals.ts"

// Names come from hostile files: a message never prints megabytes.
const quote = (name: string): string => JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name)
const list = (names: ReadonlyArray<string>): string =>
  names.slice(0, 20).map(quote).join(", ") + (names.length > 20 ? ` and ${names.length - 20} more` : "")
const Names = Schema.Array(Schema.String)

/** The operating system refused an operation on a file. `code` is its error code (ENOENT, ENOSPC, ...). */
export class FileFailed extends Schema.TaggedError<FileFailed>("@speedq/formats/FileFailed")("FileFailed", {
  file: Schema.String,
  operation: Schema.String,
  code: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    const refusal = refusalOf(this.code)
    const fix = refusal === undefined ? "" : `; ${refusalText(refusal).fix}`
    return `${this.file}: cannot ${this.operation}: ${this.reason}${fix}`
  }
}

/** A file, or what should become one, breaks the format; `tensor` is named where one is to blame. */
export class SafetensorsInvalid extends Schema.TaggedError<SafetensorsInvalid>("@speedq/formats/SafetensorsInvalid")(
  "SafetensorsInvalid",
  { file: Schema.String, tensor: Schema.optionalKey(Schema.String), reason: Schema.String }
) {
  override get message(): string {
    return `${this.file}: ${this.tensor === undefined ? "" : `tensor ${quote(this.tensor)}: `}${this.reason}`
  }
}

/** No tensor of that name; `candidates` are the names most like it. */
export class TensorMissing extends Schema.TaggedError<TensorMissing>("@speedq/formats/TensorMissing")("TensorMissing", {
  file: Schema.String,
  tensor: Schema.String,
  candidates: Names
}) {
  override get message(): string {
    const hint = this.candidates.length === 0 ? "the file has no tensors" : `most similar: ${list(this.candidates)}`
    return `${this.file}: no tensor ${quote(this.tensor)}; ${hint}`
  }
}

/** A read that cannot be done: rows or bytes outside the tensor, a target of another size, a closed file. */
export class ReadRefused extends Schema.TaggedError<ReadRefused>("@speedq/formats/ReadRefused")("ReadRefused", {
  file: Schema.String,
  tensor: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}: tensor ${quote(this.tensor)}: ${this.reason}`
  }
}

/** A tensor of weights with NaN or infinite entries. */
export class TensorNotFinite extends Schema.TaggedError<TensorNotFinite>("@speedq/formats/TensorNotFinite")(
  "TensorNotFinite",
  {
    file: Schema.String,
    tensor: Schema.String,
    elements: Schema.Number,
    nan: Schema.Number,
    infinite: Schema.Number,
    /** Of the first of them: one number a dimension. */
    firstIndex: Schema.Array(Schema.Number)
  }
) {
  override get message(): string {
    const numbers = `${this.nan} NaN and ${this.infinite} infinite of its ${this.elements} numbers`
    return `${this.file}: tensor ${quote(this.tensor)} has ${numbers}, the first at [${this.firstIndex.join(", ")}]; the checkpoint is damaged: copy or download it again, or check the program that wrote it`
  }
}

/** A sharded model whose index and shards do not fit: every missing shard, every tensor missing from its shard, every tensor not in the index. */
export class ModelIncomplete extends Schema.TaggedError<ModelIncomplete>("@speedq/formats/ModelIncomplete")(
  "ModelIncomplete",
  { index: Schema.String, missingShards: Names, missingTensors: Names, unlistedTensors: Names }
) {
  override get message(): string {
    const found = [
      ["missing shards", this.missingShards],
      ["tensors that their shard does not hold", this.missingTensors],
      ["tensors in a shard where the index does not put them", this.unlistedTensors]
    ] as const
    const problems = found.flatMap(([what, names]) => (names.length === 0 ? [] : [`${what}: ${list(names)}`]))
    return `${this.index}: ${problems.join("; ")}; download the model again, index and shards together`
  }
}

const isOneOf =
  <Classes extends ReadonlyArray<abstract new (...args: never) => unknown>>(...classes: Classes) =>
  (error: unknown): error is InstanceType<Classes[number]> =>
    classes.some((type) => error instanceof type)

/** What opening can raise. */
export type OpenError = FileFailed | SafetensorsInvalid | ModelIncomplete
export const isOpenError = isOneOf(FileFailed, SafetensorsInvalid, ModelIncomplete)

/** What reading a tensor can raise; SafetensorsInvalid when the file was cut after it was opened. `readFiniteInto` adds TensorNotFinite. */
export type ReadError = FileFailed | SafetensorsInvalid | TensorMissing | ReadRefused
export const isReadError = isOneOf(FileFailed, SafetensorsInvalid, TensorMissing, ReadRefused)

/** What writing can raise of its own. */
export type WriteError = FileFailed | SafetensorsInvalid
export const isSafetensorsInvalid = isOneOf(SafetensorsInvalid)

/** A compressed file that cannot be decompressed: another format, damaged, or cut. */
export class CompressedInvalid extends Schema.TaggedError<CompressedInvalid>()("CompressedInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file} is no whole Zstandard file: ${this.reason}; get it again, or give the decompressed file`
  }
}
