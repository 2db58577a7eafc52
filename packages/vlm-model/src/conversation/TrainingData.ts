/** A training mixture: the selected lines of several data sets, one after the other. */
import type { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { DatasetInvalid, SampleRejected, type SpecialTokenMissing } from "../Errors.ts"
import { type RandomSource, uniformBelow } from "../RandomSource.ts"
import { type AnnotationFile, openAnnotations } from "./AnnotationFile.ts"
import type { ConversationRecord } from "./ConversationRecord.ts"
import { type Dataset, readDatasetMeta } from "./DatasetMeta.ts"
import { PythonRandom } from "./pythonRandom.ts"
import type { RecordOrigin, SampleSettings } from "./SampleSettings.ts"
import { selectLines } from "./selectLines.ts"
import { type TrainingSample, trainingSample } from "./trainingSample.ts"

export interface TrainingDataOptions {
  /** The meta file. */
  readonly meta: string
  /** What its paths are relative to. Default: the working directory. */
  readonly base?: string
  /** Percentage of every data set, from 0 to 100; 0 takes everything in file order, 100 everything shuffled. */
  readonly percent: number
  /** Default 42, the reference's. */
  readonly seed?: number
}

/** The part of a mixture that one data set is. */
export interface DatasetPart {
  readonly dataset: Dataset
  readonly file: AnnotationFile
  /** Lines of the file, counted from 0, in training order. */
  readonly selected: Uint32Array
  /** Index of its first sample in the mixture. */
  readonly first: number
}

export interface LocatedRecord {
  readonly record: ConversationRecord
  readonly origin: RecordOrigin
}

export interface TrainingData {
  readonly count: number
  readonly parts: ReadonlyArray<DatasetPart>
  /** The record of a sample, from 0 to count - 1. */
  readonly record: (index: number) => Effect.Effect<LocatedRecord, FileFailed | DatasetInvalid>
}

/** Opens every data set of a mixture for as long as the scope lasts, and draws its lines. */
export const openTrainingData = Effect.fnUntraced(function* (
  options: TrainingDataOptions
): Effect.fn.Return<TrainingData, FileFailed | DatasetInvalid, Scope.Scope> {
  const { meta, percent } = options
  if (!(percent >= 0 && percent <= 100)) {
    return yield* new DatasetInvalid({ file: meta, reason: `${percent} percent is not between 0 and 100` })
  }
  const random = new PythonRandom(options.seed ?? 42)
  const parts: Array<DatasetPart> = []
  let count = 0
  for (const dataset of yield* readDatasetMeta(meta, options.base)) {
    const file = yield* openAnnotations(dataset.annotation)
    const selected = selectLines(file.lines, dataset.repeatTime, percent, random)
    parts.push({ dataset, file, selected, first: count })
    count += selected.length
  }
  const record = Effect.fnUntraced(function* (index: number) {
    const { dataset, file, selected, first } = partOf(parts, index)
    const line = selected[index - first]!
    const origin = {
      file: file.path,
      line: line + 1,
      root: dataset.root,
      dataAugment: dataset.dataAugment,
      maxTiles: dataset.maxTiles
    }
    return { record: yield* file.read(line), origin }
  })
  return { count, parts, record }
})

const partOf = (parts: ReadonlyArray<DatasetPart>, index: number): DatasetPart => {
  const part = parts.find(({ first, selected }) => index >= first && index < first + selected.length)
  if (part === undefined) throw new RangeError(`the mixture has no sample ${index}`)
  return part
}

export interface LoadedSample {
  readonly sample: TrainingSample
  /** Why records before this one were passed over; empty unless `quirks.substitutions` allows it. */
  readonly substituted: ReadonlyArray<SampleRejected | DatasetInvalid>
}

/**
 * Makes the sample at an index. A record that is malformed or rejected fails, or is replaced by a random one of the
 * same data set as often as `quirks.substitutions` says; every replacement is reported.
 */
export const loadSample = Effect.fnUntraced(function* (
  data: TrainingData,
  index: number,
  settings: SampleSettings,
  random: RandomSource
): Effect.fn.Return<LoadedSample, FileFailed | DatasetInvalid | SampleRejected | SpecialTokenMissing> {
  const { first, selected } = partOf(data.parts, index)
  const substituted: Array<SampleRejected | DatasetInvalid> = []
  for (let at = index; ; at = first + uniformBelow(random, selected.length)) {
    const attempt = data
      .record(at)
      .pipe(Effect.flatMap(({ record, origin }) => trainingSample(record, origin, settings, random)))
    const sample = yield* Effect.catchIf(
      attempt,
      (error): error is SampleRejected | DatasetInvalid =>
        error instanceof SampleRejected || error instanceof DatasetInvalid,
      (error) => {
        if (substituted.length >= settings.quirks.substitutions) return Effect.fail(error)
        substituted.push(error)
        return Effect.succeed(undefined)
      }
    )
    if (sample !== undefined) return { sample, substituted }
  }
})
