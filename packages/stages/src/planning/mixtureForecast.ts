/** What of a training mixture is there, looked at before any work: lines, records, pictures, what reads them. Nothing is decoded. */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { type Compat, Forecast, type RecipeSettings } from "@speedq/pipeline"
import {
  type Dataset,
  DatasetInvalid,
  FfmpegMissing,
  loadSharp,
  openAnnotations,
  readDatasetMeta
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { readMixture } from "../data/mixture.ts"
import { noSample } from "../data/noSample.ts"
import type { SurveyedPictures } from "../data/pictureSurvey.ts"
import { makingOf } from "../data/SampleSource.ts"
import type { DataConfig } from "../training/TrainingConfig.ts"
import { datasetObstacles, getData, listed, mostNamed } from "./datasetObstacles.ts"
import { type LookedRecords, lookAtRecords, rulesFor } from "./lookedRecords.ts"

interface MixtureForecast {
  readonly obstacles: readonly Forecast.Obstacle[]
  /** A line for each data set. */
  readonly lines: readonly string[]
  /** Samples that are selected, undefined where that cannot be known. */
  readonly selected: number | undefined
  readonly datasets: number
  /** Records that can be used and have an answer, of those that were looked at; undefined where none could be. */
  readonly answered: number | undefined
}

const getAll = "get the data sets, or take them out of the meta file"

/** Annotation files that do not exist. */
const absentAnnotations = (datasets: readonly Dataset[]): readonly string[] =>
  datasets.flatMap(({ annotation }) => (existsSync(annotation) ? [] : [annotation]))

/** Annotation files that are not there: each by name, or the first of many. */
const absentFiles = (meta: string, files: readonly string[]): readonly Forecast.Obstacle[] => {
  if (files.length <= mostNamed) {
    return files.map((file) => ({ issue: `${file}, named in ${meta}, does not exist`, fix: getData }))
  }
  const issue = `${files.length} annotation files named in ${meta} do not exist, the first of them ${files[0]}`
  return [{ issue, fix: getAll }]
}

/** Samples that a mixture selects by the lengths that its meta file states; undefined where one does not. */
const statedSamples = (datasets: readonly Dataset[], percent: number): number | undefined => {
  const share = (percent === 0 ? 100 : percent) / 100
  const counts = datasets.map(({ length, repeatTime }) => length && Math.floor(Math.floor(length * share) * repeatTime))
  return counts.reduce((sum, count) => (sum === undefined || count === undefined ? undefined : sum + count), 0)
}

/** Fails with DatasetInvalid where annotation files of a mixture do not exist, and names them. */
export const requireAnnotations = Effect.fnUntraced(function* (meta: string) {
  const absent = absentAnnotations(yield* readDatasetMeta(meta, dirname(meta)))
  if (absent.length === 0) return
  const reason = `${absent.length} of its annotation files do not exist: ${listed(absent.length, absent)}; ${getAll}`
  return yield* new DatasetInvalid({ file: meta, reason })
})

/** What a mixture is that cannot be opened as a whole: its data sets one by one. */
const absentMixture = Effect.fnUntraced(function* ({ meta, percent }: DataConfig, datasets: readonly Dataset[]) {
  const lines = yield* Effect.forEach(datasets, ({ name, annotation }) =>
    existsSync(annotation)
      ? Effect.map(Effect.scoped(openAnnotations(annotation)), (file) => `data set ${name}: ${file.lines} lines`)
      : Effect.succeed(`data set ${name}: not found`)
  )
  return {
    obstacles: absentFiles(meta, absentAnnotations(datasets)),
    lines,
    selected: statedSamples(datasets, percent),
    datasets: datasets.length,
    answered: undefined
  }
})

const lineOf = ({ part: { dataset, starts, records: surveyed }, records, pictures }: LookedRecords): string => {
  const { count, missing, videos } = pictures
  const { lines, noRecords, refused } = records
  const selected = surveyed.lines.length
  const of = lines.length < selected ? ` of ${lines.length} records, drawn at random` : ""
  const parts = [
    `${starts.length - 1} lines, ${selected} of them selected`,
    ...(noRecords.size > 0 ? [`${noRecords.size} that are no records`] : []),
    ...(refused.size > 0 ? [`${refused.size} that cannot be used`] : []),
    count === 0
      ? "no pictures"
      : `${count - videos} pictures${videos > 0 ? ` and ${videos} videos` : ""}${of}, ${missing.length} missing`
  ]
  return `data set ${dataset.name}: ${parts.join(", ")}`
}

const runsFfmpeg = (command: string): boolean => spawnSync(command, ["-version"], { stdio: "ignore" }).status === 0

/** Programs and packages that reading pictures and videos takes. */
const missingReaders = Effect.fnUntraced(function* (surveyed: readonly SurveyedPictures[]) {
  const video = surveyed.find(({ needsFfmpeg }) => needsFfmpeg !== undefined)?.needsFfmpeg
  const command = "ffmpeg"
  const ffmpeg =
    video !== undefined && !runsFfmpeg(command)
      ? [Forecast.obstacleOf(new FfmpegMissing({ file: video, command }))]
      : []
  const codec = surveyed.some(({ count }) => count > 0) ? yield* missingCodec : []
  return [...ffmpeg, ...codec]
})

/** An obstacle where pictures cannot be decoded. */
export const missingCodec = Effect.match(loadSharp, {
  onSuccess: (): readonly Forecast.Obstacle[] => [],
  onFailure: (error): readonly Forecast.Obstacle[] => [Forecast.obstacleOf(error)]
})

/** Looks at a mixture whose meta file is there; `option` is that of the stage which names it. */
export const mixtureForecast = (
  data: DataConfig,
  compat: typeof Compat.Type,
  recipe: RecipeSettings,
  option: "data" | "calibration"
): Effect.Effect<MixtureForecast> =>
  Effect.gen(function* () {
    const { seed } = recipe
    const { quirks, pictures: limits } = makingOf(data, compat)
    const datasets = yield* readDatasetMeta(data.meta, dirname(data.meta))
    if (absentAnnotations(datasets).length > 0) return yield* absentMixture(data, datasets)
    const mixture = yield* readMixture({ data, seed })
    const reading = { rules: yield* rulesFor(quirks, recipe), limits, model: recipe.model }
    const looked = yield* Effect.forEach(mixture.parts, (part) => lookAtRecords(part, reading, seed))
    const handling = { meta: data.meta, option, substitutions: quirks.substitutions }
    const lines = mixture.parts.map(({ starts }) => starts.length - 1)
    const obstacles = [
      ...looked.flatMap((each) => datasetObstacles(each, handling)),
      ...(yield* missingReaders(looked.map(({ pictures }) => pictures))),
      ...(mixture.count === 0 ? [noSample(data, lines, option)] : [])
    ]
    return {
      obstacles,
      lines: looked.map(lineOf),
      selected: mixture.count,
      datasets: looked.length,
      answered: looked.reduce((sum, { records }) => sum + records.answered, 0)
    }
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed({
        obstacles: [Forecast.obstacleOf(error)],
        lines: [],
        selected: undefined,
        datasets: 0,
        answered: undefined
      })
    )
  )

/** Where no record has an answer; what else is wrong with them is said before. */
export const nothingToLearnFrom = (
  meta: string,
  { answered, obstacles }: Effect.Success<ReturnType<typeof mixtureForecast>>
): readonly Forecast.Obstacle[] =>
  answered === 0 && obstacles.length === 0
    ? [{ issue: `no record of ${meta} has an answer: there is nothing to learn`, fix: "give records with answers" }]
    : []
