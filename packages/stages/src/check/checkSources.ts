/** Looks at what stages read beside records: calibration images and text, and files of benchmarks. */
import { basename } from "node:path"
import { Compat, Count, CurrentStage, emit, Forecast, Recipe, type RecipeSettings, RunEvents } from "@speedq/pipeline"
import { openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { visionOptions } from "../blocks/visionOptions.ts"
import { lookAtText } from "../calibration/calibration.ts"
import { openCalibrationTiles, pictureFix } from "../data/CalibrationTiles.ts"
import { sourcesOf } from "../data/calibrationPictures.ts"
import { pictureLimits } from "../data/pictureLimits.ts"
import { openBenchmark } from "../evaluate/askedRows.ts"
import { benchmarkObstacles } from "../evaluate/preflight.ts"

/** What was found of a source. */
export interface SourceCheck {
  /** The stages that read it so, as their directories are named. */
  readonly stages: readonly string[]
  readonly kind: "calibration images" | "calibration text" | "benchmark"
  readonly source: string
  /** How much of it is used; null where that cannot be told. */
  readonly used: number | null
  readonly unit: "tiles" | "blocks" | "rows"
  /** What cannot be used. */
  readonly named: readonly { readonly at: string; readonly reason: string }[]
  /** Why a stage would end. */
  readonly problems: readonly string[]
}

type Found = Pick<SourceCheck, "used" | "named" | "problems">

const { images, count, maxTiles, reading, onError } = visionOptions("AdaRound")
const Images = Schema.Struct({ images, count, maxTiles, reading, onError, compat: Compat })
const Text = Schema.Struct({
  calibration: Schema.String,
  ...{ documents: Count, longest: Count, block: Count },
  /** Only the clipping search needs so many. */
  sampleTokens: Schema.optionalKey(Count)
})
const Asking = Schema.Struct({
  benchmarks: Schema.NonEmptyArray(
    Schema.Struct({ name: Schema.String, data: Schema.String, limit: Schema.optionalKey(Count) })
  ),
  maxPixels: Schema.optionalKey(Count)
})

const textsOf = (obstacles: readonly Forecast.Obstacle[]) => obstacles.map(Forecast.obstacleText)

/** Every picture that is used is decoded: they are few. */
const checkImages = Effect.fnUntraced(function* (config: typeof Images.Type, { model, seed }: RecipeSettings) {
  const { image } = yield* openModelDirectory(model)
  const limits = pictureLimits(config.reading, config.compat)
  const opened = yield* Effect.result(openCalibrationTiles(config, image, seed, { limits, onError: "substitute" }))
  if (opened._tag === "Failure") return { used: null, named: [], problems: [opened.failure.message] }
  const { count: used, replaced } = opened.success
  const ends = config.onError === "fail" && replaced.length > 0
  const problem = `${replaced.length} images cannot be used, and the stage ends at the first of them: ${pictureFix}`
  return { used, named: replaced.map(({ at, reason }) => ({ at, reason })), problems: ends ? [problem] : [] }
})

const checkText = Effect.fnUntraced(function* (config: typeof Text.Type, { model }: RecipeSettings) {
  const { tokenizer } = yield* openModelDirectory(model)
  const { blocks = null, obstacles } = yield* lookAtText(config.calibration, tokenizer, { sampleTokens: 1, ...config })
  return { used: blocks, named: [], problems: textsOf(obstacles) }
})

const checkBenchmark = Effect.fnUntraced(function* (
  choice: (typeof Asking.Type)["benchmarks"][number],
  pictures: Pick<typeof Asking.Type, "maxPixels">
) {
  const asked = yield* Effect.option(openBenchmark(choice))
  const obstacles = yield* benchmarkObstacles([choice], pictures)
  return {
    used: Option.getOrNull(Option.map(asked, ({ rows }) => rows.length)),
    named: [],
    problems: textsOf(obstacles)
  }
})

type Looking = ReturnType<typeof checkImages> | ReturnType<typeof checkText> | ReturnType<typeof checkBenchmark>

/** A source of a stage that is to be looked at. */
interface ReadSource extends Pick<SourceCheck, "stages" | "kind" | "source" | "unit"> {
  /** What decides what is found. */
  readonly key: string
  readonly look: Looking
}

const sourcesOfStage = (config: Schema.Json, place: string, recipe: RecipeSettings): readonly ReadSource[] => {
  const { model, seed } = recipe
  const stages = [place]
  const keyOf = (...parts: readonly unknown[]) => JSON.stringify([...parts, model, seed])
  const shown = Option.toArray(Schema.decodeUnknownOption(Images)(config)).map((own): ReadSource => {
    const look = checkImages(own, recipe)
    const source = sourcesOf(own).join(", ")
    return { stages, kind: "calibration images", source, unit: "tiles", key: keyOf(own), look }
  })
  const read = Option.toArray(Schema.decodeUnknownOption(Text)(config)).map((own): ReadSource => {
    const look = checkText(own, recipe)
    return { stages, kind: "calibration text", source: own.calibration, unit: "blocks", key: keyOf(own), look }
  })
  const asked = Option.toArray(Schema.decodeUnknownOption(Asking)(config)).flatMap(({ benchmarks, ...pictures }) =>
    benchmarks.map((own): ReadSource => {
      const look = checkBenchmark(own, pictures)
      const key = keyOf(own, pictures)
      return { stages, kind: "benchmark", source: `${own.name} ${own.data}`, unit: "rows", key, look }
    })
  )
  return [...shown, ...read, ...asked]
}

/** What the stages of recipes read beside records, in their order; stages that read the same share one. */
export const readSourcesOf = (recipes: readonly Recipe.AnyRecipe[]): readonly ReadSource[] => {
  const found = new Map<string, ReadSource>()
  for (const { settings, stages } of recipes) {
    for (const { place, stage } of Recipe.labelled(stages)) {
      for (const own of sourcesOfStage(stage.config, place, settings)) {
        const before = found.get(own.key)
        const places = [...new Set([...(before?.stages ?? []), place])]
        found.set(own.key, { ...own, stages: places })
      }
    }
  }
  return [...found.values()]
}

/** Looks at a source, with its progress told as a step. Fails as openModelDirectory does; all else that is wrong is among the problems. */
export const checkSource = Effect.fn("checkSource")(function* ({ stages, kind, source, unit, look }: ReadSource) {
  const told = Effect.provideService(CurrentStage, basename(source))
  yield* emit(RunEvents.StageStarted, { key: "", from: 0, steps: 1 }).pipe(told)
  const { used, named, problems }: Found = yield* look
  yield* emit(RunEvents.StepDone, { step: 1, steps: 1, metrics: {} }).pipe(told)
  const check: SourceCheck = { stages, kind, source, used, unit, named, problems }
  return check
})
