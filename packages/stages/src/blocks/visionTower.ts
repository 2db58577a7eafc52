/** The vision tower, block by block, on calibration tiles. */
import type { SourceModel } from "@speedq/exports"
import { type Events, emit, RunEvents } from "@speedq/pipeline"
import { type Backend, noGrad, scope, tensor } from "@speedq/tensors"
import { tileSize, visionBlock, visionBlockName, visionEmbeddings, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type ComputeFailed, computing } from "../compute/computing.ts"
import type { CalibrationTiles } from "../data/CalibrationTiles.ts"
import type { DataUnusable } from "../Errors.ts"
import { blockNames } from "../model/modelBlocks.ts"
import type { BlockTower } from "./BlockTower.ts"

interface VisionTowerOptions {
  readonly backend: Backend
  readonly model: SourceModel
  readonly tiles: CalibrationTiles
  /** Where the images are from, for messages. */
  readonly source: string
}

export const visionTower = ({
  backend,
  model,
  tiles,
  source
}: VisionTowerOptions): BlockTower<ComputeFailed | DataUnusable, Events> => {
  const { config } = model.directory
  const { vision_config } = config
  const size = tileSize(config)
  const embed = (pixels: Float32Array) =>
    noGrad(() =>
      scope(() =>
        visionEmbeddings(weightsFrom(model.weights), vision_config, tensor(backend, pixels, [1, 3, size, size]))
      )
    )
  return {
    title: "vision block",
    blocks: blockNames(config, "vision"),
    weights: model.weights,
    forward: (weights, index, x) => visionBlock(weights, vision_config, visionBlockName(index), x),
    count: tiles.count,
    begins: Effect.forEach(
      tiles.replaced,
      ({ at, reason: detail, by = "no other" }) => emit(RunEvents.DataSubstituted, { source, sample: at, detail, by }),
      { discard: true }
    ),
    visit: (see) =>
      tiles.visit((pixels, tile) =>
        Effect.acquireUseRelease(
          computing(() => embed(pixels)),
          (embedded) => see({ quantized: embedded, original: embedded }, tile),
          (embedded) => Effect.sync(() => embedded.release())
        )
      )
  }
}
