/** What features of frozen towers take on disk, how many of them find room, and whether they can be kept where a recipe wants them. */
import { constants } from "node:fs"
import { access, stat } from "node:fs/promises"
import { nearestExisting } from "@speedq/formats"
import { type Forecast, formatBytes, formatCount, Machine, type RecipeSettings } from "@speedq/pipeline"
import { type ModelConfig, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { recordBytes } from "../features/featureRecord.ts"
import { numbersOf } from "../features/keptFeatures.ts"
import type { OptimizationConfig } from "../training/TrainingConfig.ts"
import type { DataExtent } from "./dataExtent.ts"
import { tilesComputed } from "./tilesComputed.ts"

type Recipe = Pick<RecipeSettings, "features">

/** Numbers of a tile's features. */
const featuresOfTile = (config: ModelConfig): number => 4 * tokensPerTile(config) * config.vision_config.hidden_size

/** Tiles whose features find room: in the stage's memory, or on disk. */
export const roomForTiles = (
  config: ModelConfig,
  { featureCache }: Pick<OptimizationConfig, "featureCache">,
  recipe: Recipe
): number => {
  const count = featuresOfTile(config)
  const { directory, limit } = recipe.features ?? {}
  const onDisk = directory === undefined ? 0 : Number(limit) / recordBytes(numbersOf(recipe), count)
  return Math.max(Number(featureCache) / (4 * count), onDisk)
}

/** Why nothing can be kept there; undefined where something can. */
const refusal = async (directory: string): Promise<string | undefined> => {
  try {
    const found = nearestExisting(directory)
    if (!(await stat(found)).isDirectory()) return `${found} is no directory`
    await access(found, constants.W_OK | constants.X_OK)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** What stands in the way of keeping features: a directory that can be seen to be none before any work is a mistake of the recipe. */
export const featureObstacles = Effect.fnUntraced(function* ({ features }: Recipe) {
  const { directory } = features ?? {}
  if (directory === undefined) return []
  const reason = yield* Effect.promise(() => refusal(directory))
  const issue = `features of frozen towers cannot be kept in ${directory}: ${reason}`
  const fix = "set features.directory to a directory that can be made and written, or leave it out"
  return reason === undefined ? [] : [{ issue, fix } satisfies Forecast.Obstacle]
})

interface Seen {
  readonly config: ModelConfig
  readonly extent: DataExtent
  readonly samples: number
  /** Different towers whose features are kept. */
  readonly towers: number
  readonly recipe: Recipe
}

/** What is told of features on disk: how many there will be, and their bytes. */
export const featureLines = Effect.fnUntraced(function* ({ config, extent, samples, towers, recipe }: Seen) {
  const { directory, limit } = recipe.features ?? {}
  if (directory === undefined || towers === 0) return []
  const each = extent.records.reduce((sum, { tiles }) => sum + tiles, 0) / extent.records.length
  const tiles = Math.ceil(towers * tilesComputed(extent, each, samples, Number.POSITIVE_INFINITY))
  const bytes = tiles * recordBytes(numbersOf(recipe), featuresOfTile(config))
  const free = yield* (yield* Machine).diskFreeBytes(nearestExisting(directory))
  const kept = Math.min(bytes, Number(limit))
  const room = free === undefined ? "" : `, where ${formatBytes(free)} is free`
  const most = bytes > Number(limit) ? `, more than features.limit, ${formatBytes(Number(limit))}` : ""
  const little = free !== undefined && free < kept ? "; what the disk has no room for is computed again" : ""
  return [
    `features of ${formatCount(tiles, "tile")} through frozen towers take ${formatBytes(bytes)} in ${directory}${room}${most}${little}; what is there already costs nothing again, which the time does not count`
  ]
})
