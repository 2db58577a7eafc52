/** What stages share that calibrate on data and quantize by rules: what they take of stages before them, and what they depend on. */
import type { VisionTower } from "@speedq/exports"
import type { Compat, RecipeSettings, Stage } from "@speedq/pipeline"
import type { RuleSpec } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { Allocation, QuantizedVision, TrainedProjector } from "../artefacts/artefacts.ts"
import { continueWithData } from "../data/continueWithData.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { pictureLimits } from "../data/pictureLimits.ts"
import { versionsOf } from "../extensions/versions.ts"
import type { Choices, EmbeddingConfig } from "../model/plannedLayers.ts"
import { type Calibration, seesImages } from "./calibration.ts"

/** What stages before made of what records pass through, and of the layers' quantizers. */
export interface CalibratedInput {
  readonly allocation?: Choices
  readonly quantizedVision?: VisionTower
  readonly projector?: Parameters
}

interface CalibrationConfig {
  readonly calibration: Calibration
  readonly compat: typeof Compat.Type
}

interface QuantizerConfig {
  readonly quantizers: readonly RuleSpec[]
  readonly embeddings: typeof EmbeddingConfig.Type
}

/** Parts of a stage's definition. */
export const calibratedStage = {
  uses: [Allocation, QuantizedVision, TrainedProjector],
  // Text passes through neither tower nor projector: what becomes of them changes nothing.
  takes: ({ calibration }: CalibrationConfig, { name }: { readonly name: string }) =>
    seesImages(calibration) || name === Allocation.name,
  fingerprint: ({ calibration, compat }: CalibrationConfig, recipe: RecipeSettings) =>
    fingerprintOf(
      recipe,
      seesImages(calibration)
        ? { data: calibration, limits: pictureLimits(calibration.images, compat) }
        : { files: [calibration] }
    ),
  versions: ({ quantizers, embeddings }: QuantizerConfig) => versionsOf({ quantizers: [...quantizers, embeddings] }),
  // Its states and its result say which records were used.
  continuation: ({ calibration, compat }: CalibrationConfig, recipe: RecipeSettings, begun: Stage.Begun) =>
    seesImages(calibration) ? continueWithData(calibration, compat, recipe, begun) : Effect.succeedNone
} as const
