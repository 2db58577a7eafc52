/** A training mixture as its files are now: which lines it selects, what they show, and digests of all of it. */
import { createHash } from "node:crypto"
import { dirname } from "node:path"
import { decompressedFile } from "@speedq/formats"
import {
  type Dataset,
  openTrainingData,
  readDatasetMeta,
  type TrainingData,
  type TrainingIndex
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type DataUnusable, dataUnusable } from "../Errors.ts"
import type { DataConfig } from "../training/TrainingConfig.ts"
import { fileDigest } from "./fileDigest.ts"
import { type PictureDigests, type SurveyedPictures, surveyPictures } from "./pictureSurvey.ts"
import { ascending, type SurveyedLines, surveyLines } from "./recordSurvey.ts"

export interface MixturePart {
  readonly dataset: Dataset
  /** Digest of the whole annotation file. */
  readonly annotation: string
  /** Byte offset of every line, then the end. */
  readonly starts: TrainingIndex[number]["starts"]
  /** The selected lines in training order, repeated as often as the meta file says. */
  readonly selected: TrainingIndex[number]["selected"]
  /** The same in the order of the file, each once, looked at. */
  readonly records: SurveyedLines
}

export interface Mixture {
  /** Digest of what the meta file says. */
  readonly meta: string
  readonly count: number
  readonly parts: readonly MixturePart[]
}

/** Which records of the data are taken. */
interface Selection {
  readonly data: Pick<DataConfig, "meta" | "percent">
  /** The recipe's. */
  readonly seed: number
}

/** Runs a look at files; what the system refuses is DataUnusable. */
const looking = <A>(look: () => Promise<A>) => Effect.tryPromise({ try: look, catch: dataUnusable })

/** Looks at the lines of an annotation file, or of a copy of it that is not compressed. What the system refuses is DataUnusable. */
export const lookingAt = <A>(
  { annotation }: Pick<Dataset, "annotation">,
  look: (content: string) => Promise<A>
): Effect.Effect<A, DataUnusable> =>
  decompressedFile(annotation).pipe(
    Effect.flatMap((content) => Effect.tryPromise(() => look(content))),
    Effect.scoped,
    Effect.mapError((error) => dataUnusable("cause" in error ? error.cause : error))
  )

/** What a meta file says of how records are used: all but the statistics in it, which nothing is made of. */
const metaDigest = (datasets: readonly Dataset[]): string => {
  const said = datasets.map(({ name, entry: { length: _, ...entry } }) => [name, Object.entries(entry).sort()])
  return createHash("sha256").update(JSON.stringify(said)).digest("hex")
}

/** Mixtures that were read last: every stage of a run asks for them several times. */
const known = new Map<string, Mixture>()
const mostKnown = 4

const remember = (key: string, mixture: Mixture): Mixture => {
  known.delete(key)
  known.set(key, mixture)
  for (const oldest of [...known.keys()].slice(0, Math.max(0, known.size - mostKnown))) known.delete(oldest)
  return mixture
}

const readPart = ({ dataset, file, selected }: TrainingData["parts"][number], annotation: string) =>
  Effect.map(
    looking(() => surveyLines(file.content, file.starts, ascending(selected))),
    (records): MixturePart => ({ dataset, annotation, starts: file.starts, selected, records })
  )

/** Digests of what the meta file says and of the annotation files, and the name of a mixture that is made of them. */
const identify = Effect.fnUntraced(function* (
  { data: { meta, percent }, seed }: Selection,
  datasets: readonly Dataset[]
) {
  const said = metaDigest(datasets)
  const annotations = yield* Effect.forEach(datasets, ({ annotation }) => looking(() => fileDigest(annotation)))
  return { said, annotations, key: JSON.stringify([meta, percent, seed, said, annotations]) }
})

/** A mixture that was read before and is the same now. What stands in the way of knowing is told where it is read. */
const recall = (selection: Selection) =>
  readDatasetMeta(selection.data.meta, dirname(selection.data.meta)).pipe(
    Effect.flatMap((datasets) => identify(selection, datasets)),
    Effect.map(({ key }) => {
      const before = known.get(key)
      return before && remember(key, before)
    }),
    Effect.orElseSucceed(() => undefined)
  )

/** Reads the meta file, the annotation files, and the records that are selected. Fails with DataUnusable. */
export const readMixture = Effect.fn("readMixture")(function* (selection: Selection) {
  const before = yield* recall(selection)
  if (before !== undefined) return before
  const { data, seed } = selection
  const { meta, percent } = data
  const opened = yield* openTrainingData({ meta, base: dirname(meta), percent, seed }).pipe(
    Effect.mapError(dataUnusable)
  )
  const datasets = opened.parts.map(({ dataset }) => dataset)
  const { said, annotations, key } = yield* identify(selection, datasets)
  const parts = yield* Effect.forEach(opened.parts, (part, at) => readPart(part, annotations[at]!))
  return remember(key, { meta: said, count: opened.count, parts })
}, Effect.scoped)

/** The pictures of records below `root`. */
export const surveyedPictures = (
  root: string,
  records: SurveyedLines,
  by: PictureDigests
): Effect.Effect<SurveyedPictures, DataUnusable> => looking(() => surveyPictures(root, records, by))

/** The pictures of a mixture's selected records, by data set. */
export const mixturePictures = (
  { parts }: Mixture,
  by: PictureDigests
): Effect.Effect<readonly SurveyedPictures[], DataUnusable> =>
  Effect.forEach(parts, ({ dataset, records }) => surveyedPictures(dataset.root, records, by))
