/** The meta file of a training mixture: data sets by name, in the order of the file. */
import { resolve } from "node:path"
import type { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DatasetInvalid } from "../Errors.ts"
import { decodeJson, readBytes } from "../internal/files.ts"

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
  max_dynamic_patch: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0)))
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
}

/** Reads a meta file. `root` and `annotation` of its entries are relative to `base`, by default the working directory. */
export const readDatasetMeta = Effect.fnUntraced(function* (
  file: string,
  base = "."
): Effect.fn.Return<ReadonlyArray<Dataset>, FileFailed | DatasetInvalid> {
  const invalid = (reason: string) => new DatasetInvalid({ file, reason })
  const entries = yield* decodeJson(yield* readBytes(file), Schema.Record(Schema.String, DatasetEntry), invalid)
  const numeric = Object.keys(entries).find((name) => /^(0|[1-9]\d*)$/.test(name))
  if (numeric !== undefined) {
    // JSON.parse moves such keys to the front, and the order decides which samples are drawn.
    return yield* invalid(`the data set name "${numeric}" is a number, which loses its place in the file; add a letter`)
  }
  return Object.entries(entries).map(([name, entry]) => ({
    name,
    root: resolve(base, entry.root),
    annotation: resolve(base, entry.annotation),
    dataAugment: entry.data_augment,
    repeatTime: entry.repeat_time,
    maxTiles: entry.max_dynamic_patch
  }))
})
