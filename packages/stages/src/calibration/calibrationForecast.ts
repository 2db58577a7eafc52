/** What of calibration data is there before any work, and how much of it a stage will look at. */
import type { Compat, Forecast, RecipeSettings } from "@speedq/pipeline"
import { openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { mixtureForecast } from "../planning/mixtureForecast.ts"
import { type Calibration, lookAtText, recordTokens, seesImages, tooFewTokens } from "./calibration.ts"
import { recordsExtent } from "./extent.ts"

/** The part of a stage's options that says what calibrates. */
export interface CalibrationExtent {
  readonly calibration: Calibration
  readonly documents: number
  readonly longest: number
  readonly block: number
  readonly compat: typeof Compat.Type
}

/** Sequences that are looked at, tokens of one, and tiles of one, as far as they are known without the data. */
export const extentOf = (
  { calibration, documents, longest, block }: Omit<CalibrationExtent, "compat">,
  perTile: number,
  blocks: number | undefined
) => {
  if (!seesImages(calibration)) return { count: blocks ?? (documents * longest) / block, length: block, tiles: 0 }
  return recordsExtent(calibration, documents, perTile)
}

/** What is there of it: of records how many are selected, of a text how many blocks it gives, as far as that is known. */
interface CalibrationForecast {
  readonly obstacles: readonly Forecast.Obstacle[]
  readonly lines: readonly string[]
  readonly selected?: number | undefined
  readonly blocks?: number
}

/** What of the calibration data is there: records and their pictures, or text, with at least `sampleTokens` tokens. */
export const calibrationForecast = Effect.fnUntraced(function* (
  config: CalibrationExtent & { readonly sampleTokens: number },
  recipe: RecipeSettings
): Effect.fn.Return<CalibrationForecast, Effect.Error<ReturnType<typeof recordTokens>>> {
  const { calibration } = config
  const opened = yield* Effect.option(openModelDirectory(recipe.model))
  if (seesImages(calibration)) {
    const mixture = yield* mixtureForecast(calibration, config.compat, recipe, "calibration")
    if (Option.isNone(opened) || mixture.obstacles.length > 0) return mixture
    const most = yield* recordTokens(calibration, config.compat, recipe)
    if (most === undefined || most >= config.sampleTokens) return mixture
    return {
      ...mixture,
      obstacles: [
        {
          issue: tooFewTokens(calibration.meta, most, config.sampleTokens),
          fix: "give more records, or set smaller sampleTokens"
        }
      ]
    }
  }
  // A model that is not there is an obstacle of its own, or planned from what is known of it.
  if (Option.isNone(opened)) return { obstacles: [], lines: [] }
  const { blocks, obstacles } = yield* lookAtText(calibration, opened.value.tokenizer, config)
  if (blocks === undefined) return { obstacles, lines: [] }
  return { obstacles, lines: [`${blocks} blocks of text of ${config.block} tokens`], blocks }
})
