/**
 * Stage 1 of SPEED-Q: block-wise AdaRound of the vision tower, on images only (arXiv:2511.08914 §3; docs/method.md,
 * "AdaRound").
 */

import { writtenAs } from "@speedq/formats"
import { Stage } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { Allocation, QuantizedVision } from "../artefacts/artefacts.ts"
import { makeBlockCaches } from "../blocks/BlockCaches.ts"
import { fitBlocks } from "../blocks/fitBlocks.ts"
import { roundingMethod } from "../blocks/roundingMethod.ts"
import { Compute } from "../compute/Compute.ts"
import { openCalibrationTiles, replacedSections } from "../data/CalibrationTiles.ts"
import { drawPictures, isPicture, mixturesOf, sourcesOf } from "../data/calibrationPictures.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { pictureLimits } from "../data/pictureLimits.ts"
import { versionsOf } from "../extensions/versions.ts"
import { type Choices, planTowers } from "../model/plannedLayers.ts"
import { requireGrids } from "../model/requireGrids.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import type { AdaRoundVitOptions } from "../registry/stageOptions.ts"
import { AdaRoundVitConfig } from "./AdaRoundVitConfig.ts"
import { makeFisherGradient } from "./fisherGradient.ts"
import { forecastAdaRound } from "./forecastAdaRound.ts"
import { visionTower } from "./visionTower.ts"

/** Blocks that begin with what earlier ones left are fitted one after the other: of these, parts of an iteration may be shared. */
const sharedUnits = ({ inputs, shards }: AdaRoundVitConfig, directory: string) => {
  if (inputs === "full-precision") return { directory, units: "blocks" } as const
  return shards > 1 ? ({ directory, units: "parts" } as const) : undefined
}

export const AdaRoundVit = Stage.define({
  name: "adaround-vit",
  // 2: images are drawn, where there are more than are used.
  version: 2,
  config: writtenAs<AdaRoundVitOptions>()(AdaRoundVitConfig),
  uses: [Allocation],
  gives: [QuantizedVision],
  fingerprint: (config, recipe) =>
    drawPictures(config, recipe.seed).pipe(
      Effect.map((pictures) =>
        pictures
          .filter(isPicture)
          .sort((a, b) => a.place - b.place)
          .map(({ file }) => file)
      ),
      // A source that cannot be read is an obstacle of the forecast, and an error of the stage.
      Effect.catch(() => Effect.succeed(sourcesOf(config))),
      Effect.flatMap((files) =>
        fingerprintOf(recipe, {
          files,
          metas: mixturesOf(config),
          limits: pictureLimits(config.reading, config.compat)
        })
      )
    ),
  versions: ({ quantizers }) => versionsOf({ quantizers }),
  forecast: forecastAdaRound,
  begin: Effect.fnUntraced(function* (
    config: AdaRoundVitConfig,
    { allocation }: { readonly allocation?: Choices },
    { recipe, seed, directory }: Stage.StageContext
  ) {
    const { backend } = yield* Compute
    const model = yield* openRecipeModel(recipe)
    const { config: modelConfig, image } = model.directory
    const planned = yield* planTowers(modelConfig, ["vision"], config.quantizers, config.compat, allocation)
    const { choices } = planned
    yield* requireGrids("AdaRound", planned)
    yield* requireQuantizable(model.weights, choices)
    const { onError } = config
    const limits = pictureLimits(config.reading, config.compat)
    const tiles = yield* openCalibrationTiles(config, image, recipe.seed, { limits, onError })
    const source = sourcesOf(config).join(", ")
    const tower = visionTower({ backend, model, tiles, source })
    const weighted = config.weighting === "fisher"
    const caches = yield* owned(
      Effect.sync(() =>
        makeBlockCaches({
          backend,
          count: tiles.count,
          width: modelConfig.vision_config.hidden_size,
          memoryBudget: Number(config.cache),
          directory,
          inputs: config.inputs,
          weighted
        })
      ),
      ({ dispose }) => dispose()
    )
    return yield* fitBlocks({
      ...{ tower, choices, caches, seed, worse: config.worse },
      method: roundingMethod(config),
      weighing: weighted ? yield* makeFisherGradient({ backend, model, seed }) : undefined,
      shards: config.shards,
      shared: sharedUnits(config, directory),
      output: (packed) => ({ quantizedVision: { packed, values: {} } }),
      leave: () => Effect.succeed({ sections: replacedSections(tiles), files: [] })
    })
  })
})
