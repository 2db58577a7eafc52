/** A training mixture: the selected lines of several data sets, one after the other. */
import type { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { DatasetInvalid, type ImageCodecMissing, SampleRejected, type SpecialTokenMissing } from "../Errors.ts"
import { type RandomSource, uniformBelow } from "../model/RandomSource.ts"
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
  readonly selected: Uint32Array<SharedArrayBuffer>
  /** Index of its first sample in the mixture. */
  readonly first: number
}

/** A mixture as it passes between threads: nothing but plain values and shared memory. */
export type TrainingIndex = ReadonlyArray<{
  readonly dataset: Dataset
  readonly starts: Float64Array<SharedArrayBuffer>
  readonly selected: Uint32Array<SharedArrayBuffer>
}>

export interface LocatedRecord {
  readonly record: ConversationRecord
  readonly origin: RecordOrigin
}

export interface TrainingData {
  readonly count: number
  readonly parts: ReadonlyArray<DatasetPart>
  /** What `attachTrainingData` needs to open the same mixture on another thread, without reading the files again. */
  readonly index: TrainingIndex
  /** Where a sample, from 0 to count - 1, comes from; reads nothing. */
  readonly origin: (index: number) => RecordOrigin
  /** The record of a sample. */
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
  for (const dataset of yield* readDatasetMeta(meta, options.base)) {
    const file = yield* openAnnotations(dataset.annotation)
    const selected = shared(selectLines(file.lines, dataset.repeatTime, percent, random))
    parts.push({ dataset, file, selected, first: endOf(parts) })
  }
  return mixture(parts)
})

/** Opens a mixture that another thread has opened, for as long as the scope lasts. */
export const attachTrainingData = Effect.fnUntraced(function* (
  index: TrainingIndex
): Effect.fn.Return<TrainingData, FileFailed, Scope.Scope> {
  const parts: Array<DatasetPart> = []
  for (const { dataset, starts, selected } of index) {
    const file = yield* openAnnotations(dataset.annotation, starts)
    parts.push({ dataset, file, selected, first: endOf(parts) })
  }
  return mixture(parts)
})

const endOf = (parts: ReadonlyArray<DatasetPart>): number => {
  const last = parts.at(-1)
  return last === undefined ? 0 : last.first + last.selected.length
}

const shared = (lines: Uint32Array): Uint32Array<SharedArrayBuffer> => {
  const copy = new Uint32Array(new SharedArrayBuffer(lines.byteLength))
  copy.set(lines)
  return copy
}

const mixture = (parts: ReadonlyArray<DatasetPart>): TrainingData => {
  const lineOf = (index: number) => {
    const { dataset, file, selected, first } = partOf(parts, index)
    const line = selected[index - first]!
    const { root, dataAugment, maxTiles } = dataset
    const origin: RecordOrigin = { file: file.path, line: line + 1, root, dataAugment, maxTiles }
    return { file, line, origin }
  }
  const record = (index: number) => {
    const { file, line, origin } = lineOf(index)
    return Effect.map(file.read(line), (read): LocatedRecord => ({ record: read, origin }))
  }
  const index = parts.map(({ dataset, file: { starts }, selected }) => ({ dataset, starts, selected }))
  return { count: endOf(parts), parts, index, origin: (index) => lineOf(index).origin, record }
}

const partOf = (parts: ReadonlyArray<DatasetPart>, index: number): DatasetPart => {
  const part = parts.find(({ first, selected }) => index >= first && index < first + selected.length)
  if (part === undefined) throw new RangeError(`the mixture has no sample ${index}`)
  return part
}

export type SampleError = FileFailed | DatasetInvalid | ImageCodecMissing | SampleRejected | SpecialTokenMissing

export interface LoadedSample {
  readonly sample: TrainingSample
  /** Index of the record that it was made of: the one that was asked for, or the last that took its place. */
  readonly made: number
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
): Effect.fn.Return<LoadedSample, SampleError> {
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
    if (sample !== undefined) return { sample, made: at, substituted }
  }
})
