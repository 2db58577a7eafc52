/** What of a training mixture is there, looked at before any work: lines, records, pictures, what reads them. Nothing is decoded. */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { type Compat, Forecast, type RecipeSettings } from "@speedq/pipeline"
import { Random } from "@speedq/tensors"
import {
  type Dataset,
  DatasetInvalid,
  FfmpegMissing,
  loadSharp,
  openAnnotations,
  readDatasetMeta
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type MixturePart, readMixture } from "../data/mixture.ts"
import { type SurveyedPictures, surveyPictures } from "../data/pictureSurvey.ts"
import { quirksOf } from "../data/SampleSource.ts"
import { SurveyProgress } from "../data/SurveyProgress.ts"
import type { DataConfig } from "../training/TrainingConfig.ts"

interface MixtureForecast {
  readonly obstacles: readonly Forecast.Obstacle[]
  /** A line for each data set. */
  readonly lines: readonly string[]
  /** Samples that are selected, undefined where that cannot be known. */
  readonly selected: number | undefined
  readonly datasets: number
}

/** Records of a data set whose pictures are looked for; of more, a sample is. */
const mostLookedAt = 100_000

const mostNamed = 3

/** Of several: each, or how many there are and the first. */
const listed = (count: number, first: readonly string[]): string =>
  count <= mostNamed ? first.join(", ") : `${first[0]} and ${count - 1} more`

const getData = "get the data set, or take it out of the meta file"
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
    datasets: datasets.length
  }
})

/** Some of the records, drawn with the recipe's seed, where they are many. */
const sampleOf = ({ dataset, records }: MixturePart, seed: number): Pick<MixturePart["records"], "lines" | "shown"> => {
  if (records.lines.length <= mostLookedAt) return records
  const order = Random.make(seed, `pictures of ${dataset.name}`).permutation(records.lines.length)
  const places = [...order.subarray(0, mostLookedAt)].sort((a, b) => a - b)
  return {
    lines: Uint32Array.from(places, (place) => records.lines[place]!),
    shown: places.map((place) => records.shown[place])
  }
}

const lookAt = Effect.fnUntraced(function* (part: MixturePart, seed: number) {
  const { dataset } = part
  const records = sampleOf(part, seed)
  const told = yield* SurveyProgress
  const pictures = yield* Effect.promise(() =>
    surveyPictures(dataset.root, records, "time", (done) => told(dataset.name, done, records.lines.length))
  )
  return { part, pictures, looked: records.lines.length }
})

type Looked = Effect.Success<ReturnType<typeof lookAt>>

const lineOf = ({ part: { dataset, starts, records }, pictures, looked }: Looked): string => {
  const { count, missing, videos } = pictures
  const selected = records.lines.length
  const of = looked < selected ? ` of ${looked} records, drawn at random` : ""
  const parts = [
    `${starts.length - 1} lines, ${selected} of them selected`,
    ...(records.problems.size > 0 ? [`${records.problems.size} that are no records`] : []),
    count === 0
      ? "no pictures"
      : `${count - videos} pictures${videos > 0 ? ` and ${videos} videos` : ""}${of}, ${missing.length} missing`
  ]
  return `data set ${dataset.name}: ${parts.join(", ")}`
}

const repair = 'restore them, take their lines out, or set data.onError to "substitute"'

const brokenRecords = ({ part: { dataset, records } }: Looked): readonly Forecast.Obstacle[] => {
  const problems = [...records.problems].map(([line, reason]) => `${dataset.annotation}:${line + 1}: ${reason}`)
  if (problems.length === 0) return []
  return [{ issue: `${problems.length} lines are no records: ${listed(problems.length, problems)}`, fix: repair }]
}

const missingPictures = ({ part: { dataset }, pictures: { missing } }: Looked): readonly Forecast.Obstacle[] => {
  if (missing.length === 0) return []
  const named = missing.slice(0, mostNamed).map(({ line, path }) => `${path} (${dataset.annotation}:${line + 1})`)
  return [{ issue: `${missing.length} pictures do not exist: ${listed(missing.length, named)}`, fix: repair }]
}

/** What makes a data set useless, whatever becomes of single records. */
const uselessSet = (meta: string, { part, pictures }: Looked): readonly Forecast.Obstacle[] => {
  const { dataset, records } = part
  const { count, missing } = pictures
  if (count > 0 && !existsSync(dataset.root)) {
    const issue = `${dataset.root}, the root of data set ${dataset.name} in ${meta}, does not exist`
    return [{ issue, fix: getData }]
  }
  const isTextToo = records.shown.some((shown) => shown?.kind === "text")
  if (count > 0 && missing.length === count && !isTextToo) {
    return [{ issue: `none of the pictures of data set ${dataset.name} exists below ${dataset.root}`, fix: getData }]
  }
  if (records.lines.length > 0 && records.problems.size === records.lines.length) {
    return [{ issue: `no selected line of ${dataset.annotation} is a record`, fix: getData }]
  }
  return []
}

const obstaclesOf = (meta: string, replaces: boolean, looked: Looked): readonly Forecast.Obstacle[] => {
  const useless = uselessSet(meta, looked)
  if (useless.length > 0 || replaces) return useless
  return [...brokenRecords(looked), ...missingPictures(looked)]
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

/** Looks at a mixture whose meta file is there. */
export const mixtureForecast = (
  data: DataConfig,
  compat: typeof Compat.Type,
  { seed }: RecipeSettings
): Effect.Effect<MixtureForecast> =>
  Effect.gen(function* () {
    const replaces = quirksOf(data, compat).substitutions > 0
    const datasets = yield* readDatasetMeta(data.meta, dirname(data.meta))
    if (absentAnnotations(datasets).length > 0) return yield* absentMixture(data, datasets)
    const mixture = yield* readMixture({ data, seed })
    const looked = yield* Effect.forEach(mixture.parts, (part) => lookAt(part, seed))
    const obstacles = [
      ...looked.flatMap((each) => obstaclesOf(data.meta, replaces, each)),
      ...(yield* missingReaders(looked.map(({ pictures }) => pictures))),
      ...(mixture.count === 0
        ? [{ issue: `${data.meta} selects no sample`, fix: "raise data.percent, or give more data" }]
        : [])
    ]
    return { obstacles, lines: looked.map(lineOf), selected: mixture.count, datasets: looked.length }
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed({
        obstacles: [Forecast.obstacleOf(error)],
        lines: [],
        selected: undefined,
        datasets: 0
      })
    )
  )
