/** The work of a stage that fits the vision tower block by block on images, by any method. */
import type { SourceModel } from "@speedq/exports"
import type { Compat, Stage } from "@speedq/pipeline"
import type { RuleSpec } from "@speedq/quantizers"
import type { Backend, Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { Compute } from "../compute/Compute.ts"
import { openCalibrationTiles, replacedSections } from "../data/CalibrationTiles.ts"
import { type PictureSources, sourcesOf } from "../data/calibrationPictures.ts"
import { type PictureConfig, pictureLimits } from "../data/pictureLimits.ts"
import type { RulesInvalid } from "../Errors.ts"
import { type Choices, type PlannedLayers, planTowers } from "../model/plannedLayers.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { makeBlockCaches } from "./BlockCaches.ts"
import type { BlockMethod } from "./BlockMethod.ts"
import type { BlockWeighing } from "./BlockSession.ts"
import { fitBlocks } from "./fitBlocks.ts"
import type { Shared } from "./sharing.ts"
import { visionTower } from "./visionTower.ts"

/** Options that such stages share. */
export interface VisionConfig extends PictureSources {
  readonly compat: typeof Compat.Type
  readonly count: number
  readonly reading?: typeof PictureConfig.Type | undefined
  readonly onError: "fail" | "substitute"
  readonly quantizers: readonly RuleSpec[]
  readonly inputs: "asymmetric" | "full-precision"
  readonly worse: "nearest" | "keep"
  readonly cache: bigint | number
}

/** How blocks are fitted. */
interface VisionFit<L extends Parameters, E, R> {
  /** Fails where the method cannot fit a layer's quantizer. */
  readonly requireFit: (planned: PlannedLayers) => Effect.Effect<void, RulesInvalid>
  /** The method, made of the number of tiles and the quantizers of layers. */
  readonly makeMethod: (tiles: number, choices: Choices) => BlockMethod<L>
  /** Gradients that errors of a block's output are weighed by; undefined where all count alike. */
  readonly weigh?:
    | ((opened: { readonly backend: Backend; readonly model: SourceModel }) => Effect.Effect<BlockWeighing, E, R>)
    | undefined
  /** Parts that the tiles of an iteration are cut into. */
  readonly shards?: number
}

/** Blocks that begin with what earlier ones left are fitted one after the other: of these, parts of an iteration may be shared. */
const sharedUnits = ({ inputs }: VisionConfig, shards: number, directory: string): Shared | undefined => {
  if (inputs === "full-precision") return { directory, units: "blocks" }
  return shards > 1 ? { directory, units: "parts" } : undefined
}

/** The program of the stage. */
export const fitVision = Effect.fnUntraced(function* <L extends Parameters, E = never, R = never>(
  config: VisionConfig,
  { allocation }: { readonly allocation?: Choices },
  { recipe, seed, directory }: Stage.StageContext,
  { requireFit, makeMethod, weigh, shards = 1 }: VisionFit<L, E, R>
) {
  const { backend } = yield* Compute
  const model = yield* openRecipeModel(recipe)
  const { config: modelConfig, image } = model.directory
  const planned = yield* planTowers(modelConfig, ["vision"], config.quantizers, config.compat, allocation)
  const { choices } = planned
  yield* requireFit(planned)
  yield* requireQuantizable(model.weights, choices)
  const { onError } = config
  const limits = pictureLimits(config.reading, config.compat)
  const tiles = yield* openCalibrationTiles(config, image, recipe.seed, { limits, onError })
  const source = sourcesOf(config).join(", ")
  const tower = visionTower({ backend, model, tiles, source })
  const caches = yield* owned(
    Effect.sync(() =>
      makeBlockCaches({
        backend,
        count: tiles.count,
        width: modelConfig.vision_config.hidden_size,
        memoryBudget: Number(config.cache),
        directory,
        inputs: config.inputs,
        weighted: weigh !== undefined
      })
    ),
    ({ dispose }) => dispose()
  )
  return yield* fitBlocks({
    ...{ tower, choices, caches, seed, worse: config.worse },
    method: makeMethod(tiles.count, choices),
    weighing: weigh && (yield* weigh({ backend, model })),
    shards,
    shared: sharedUnits(config, shards, directory),
    output: (packed) => ({ quantizedVision: { packed, values: {} } }),
    leave: () => Effect.succeed({ sections: replacedSections(tiles), files: [] })
  })
})
