/** The meta file of a training mixture: data sets by name, in the order of the file. */
import { resolve } from "node:path"
import { type FileFailed, mostBytes, optionProblems, problemsInLine, readBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { DatasetInvalid } from "../Errors.ts"
import { isJsonObject, type JsonObject } from "../internal/jsonObject.ts"
import { parseStrictJson } from "../internal/strictJson.ts"

const RepeatTime = Schema.Finite.check(
  Schema.isGreaterThan(0),
  Schema.makeFilter((times) => times <= 1 || Number.isInteger(times) || "above 1, repeat_time is a whole number")
)

const DatasetEntry = Schema.Struct({
  root: Schema.String,
  annotation: Schema.String.check(
    Schema.makeFilter(
      (path) =>
        /jsonl(\.zst)?$/.test(path) || "an annotation file is JSON Lines, its name ends in jsonl, or in jsonl.zst"
    )
  ),
  data_augment: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
  repeat_time: RepeatTime.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  max_dynamic_patch: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))),
  length: Schema.optionalKey(Schema.Finite)
})

/** One data set. */
export interface Dataset {
  readonly name: string
  /** What the paths in its records are relative to. */
  readonly root: string
  readonly annotation: string
  readonly dataAugment: boolean
  /** Below 1: the part that is kept. Above: how often the whole is repeated. */
  readonly repeatTime: number
  /** Overrides the mixture's largest number of tiles. */
  readonly maxTiles: number | undefined
  /** Records that the meta file says it has, for planning only. */
  readonly length: number | undefined
  /** All that the meta file says of it. */
  readonly entry: JsonObject
}

// Other keys are allowed: meta files of other programs have some.
const decodeEntry = Schema.decodeUnknownResult(DatasetEntry, { errors: "all", reportInput: true })

const form =
  'the meta file is one object that names data sets: {"name": {"root": "images", "annotation": "records.jsonl"}}'

/** Several lines, each JSON of its own. */
const isJsonLines = (bytes: Uint8Array): boolean => {
  const start = new TextDecoder().decode(bytes.subarray(0, 2 ** 20))
  const [first, second] = start.split("\n").filter((line) => line.trim() !== "")
  try {
    return (
      second !== undefined &&
      isJsonObject(JSON.parse(first!)) &&
      (second.length > 2 ** 19 || isJsonObject(JSON.parse(second)))
    )
  } catch {
    return false
  }
}

/** The data sets of a file as it was written; a string is what is wrong with it. */
const entriesOf = (bytes: Uint8Array): ReadonlyArray<readonly [string, unknown]> | string => {
  const parsed = parseStrictJson(bytes)
  const given = `it holds records, one a line: it is an annotation file, not a meta file; ${form}`
  if ("reason" in parsed) return isJsonLines(bytes) ? given : parsed.reason
  const { value } = parsed
  if (Array.isArray(value)) return `it is a list; ${form}`
  if (!isJsonObject(value)) return `it is ${value === null ? "null" : `a ${typeof value}`}; ${form}`
  if ("conversations" in value || "messages" in value) return given
  const numeric = Object.keys(value).find((name) => /^(0|[1-9]\d*)$/.test(name))
  // JSON.parse moves such keys to the front, and the order decides which samples are drawn.
  return numeric === undefined
    ? Object.entries(value)
    : `the data set name "${numeric}" is a number, which loses its place in the file; add a letter`
}

/**
 * Reads a meta file. `root` and `annotation` of its entries are relative to `base`, by default the working directory. Fails
 * with DatasetInvalid, which names the file, the data set and its key, and says what to do.
 */
export const readDatasetMeta = Effect.fnUntraced(function* (
  file: string,
  base = "."
): Effect.fn.Return<ReadonlyArray<Dataset>, FileFailed | DatasetInvalid> {
  const invalid = (reason: string) => new DatasetInvalid({ file, reason })
  const entries = entriesOf(yield* readBytes(file, mostBytes.text))
  if (typeof entries === "string") return yield* invalid(entries)
  const datasets: Array<Dataset> = []
  for (const [name, entry] of entries) {
    const decoded = decodeEntry(entry)
    if (Result.isFailure(decoded)) {
      return yield* invalid(
        `data set ${JSON.stringify(name)}: ${problemsInLine(optionProblems(decoded.failure))}; correct that`
      )
    }
    const { root, annotation, data_augment, repeat_time, max_dynamic_patch, length } = decoded.success
    datasets.push({
      name,
      root: resolve(base, root),
      annotation: resolve(base, annotation),
      dataAugment: data_augment,
      repeatTime: repeat_time,
      maxTiles: max_dynamic_patch,
      length,
      entry: entry as JsonObject
    })
  }
  return datasets
})
