/** What stages share that fit the vision tower block by block on images: what they take and give, and what they depend on. */
import type { RecipeSettings } from "@speedq/pipeline"
import type { RuleSpec } from "@speedq/quantizers"
import * as Effect from "effect/Effect"
import { Allocation, QuantizedVision } from "../artefacts/artefacts.ts"
import { drawPictures, isPicture, mixturesOf, sourcesOf } from "../data/calibrationPictures.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { pictureLimits } from "../data/pictureLimits.ts"
import { versionsOf } from "../extensions/versions.ts"
import type { VisionConfig } from "./fitVision.ts"

/** Parts of a stage's definition. */
export const visionStage = {
  uses: [Allocation],
  gives: [QuantizedVision],
  fingerprint: (config: VisionConfig, recipe: RecipeSettings) =>
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
  versions: ({ quantizers }: { readonly quantizers: readonly RuleSpec[] }) => versionsOf({ quantizers })
} as const
