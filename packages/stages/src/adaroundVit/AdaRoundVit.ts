/**
 * Stage 1 of SPEED-Q: block-wise AdaRound of the vision tower, on images only (arXiv:2511.08914 §3; docs/method.md,
 * "AdaRound").
 */

import {
  type Block,
  drawBatch,
  initialRounding,
  type RoundingState,
  readLosses,
  releaseRounding,
  reportBlock,
  roundingStep
} from "@speedq/adaround"
import { releasePacked } from "@speedq/exports"
import { writtenAs } from "@speedq/formats"
import { emit, formatNumber, RunEvents, Stage } from "@speedq/pipeline"
import { type PackedWeights, packWeight } from "@speedq/quantizers"
import { noGrad, Random, scope, type Tensor } from "@speedq/tensors"
import { patchGrid } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { QuantizedVision } from "../artefacts/artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { openCalibrationTiles, replacedSections } from "../data/CalibrationTiles.ts"
import { drawPictures, isPicture, mixturesOf, sourcesOf } from "../data/calibrationPictures.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { pictureLimits } from "../data/pictureLimits.ts"
import { versionsOf } from "../extensions/versions.ts"
import { type PlannedLayers, planTowers } from "../model/plannedLayers.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned, owningState } from "../model/stageMemory.ts"
import type { AdaRoundVitOptions } from "../registry/stageOptions.ts"
import { AdaRoundVitConfig } from "./AdaRoundVitConfig.ts"
import { type BlockCaches, makeBlockCaches } from "./BlockCaches.ts"
import { blockSections, factsOfBlock, roundedLayers } from "./blockSections.ts"
import { makeFisherGradient } from "./fisherGradient.ts"
import { forecastAdaRound, requireGrids } from "./forecastAdaRound.ts"
import { type VisionRounding, visionRoundingCodec } from "./VisionRounding.ts"
import { choicesOfBlock, makeVisionSession, roundedBlocks } from "./VisionSession.ts"

interface Hardening {
  readonly block: Block
  readonly rounding: RoundingState
  readonly state: VisionRounding
  readonly choices: PlannedLayers["choices"]
  readonly caches: BlockCaches
  readonly config: AdaRoundVitConfig
}

/** Makes the rounding of a finished block permanent: packs its weights and measures what was won. */
const harden = async ({ block, rounding, state, choices, caches, config }: Hardening): Promise<VisionRounding> => {
  const done = new Map(state.done)
  const measured = await reportBlock(block, rounding, caches, config.batch)
  const { errorNearest, errorAdaround } = measured
  const backToNearest = config.worse === "nearest" && errorAdaround > errorNearest
  for (const [layer, { alpha }] of Object.entries(rounding.layers)) {
    const grid = block.grids[layer]!
    // The sign of an alpha that was not optimized is that of rounding to nearest.
    const stored = noGrad(() => scope(() => grid.stored(backToNearest ? grid.initialAlpha() : alpha)))
    done.set(layer, await packWeight(layer, choices.get(layer)!, alpha.shape, stored))
    for (const tensor of Object.values<Tensor>(stored)) tensor.release()
  }
  releaseRounding(rounding)
  const report = { ...measured, kept: backToNearest ? ("nearest" as const) : ("AdaRound" as const) }
  return { done, reports: [...state.reports, report], current: undefined }
}

export const AdaRoundVit = Stage.define({
  name: "adaround-vit",
  // 2: images are drawn, where there are more than are used.
  version: 2,
  config: writtenAs<AdaRoundVitOptions>()(AdaRoundVitConfig),
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
    _input: object,
    { recipe, seed, directory }: Stage.StageContext
  ) {
    const { backend } = yield* Compute
    const model = yield* openRecipeModel(recipe)
    const { config: modelConfig, image } = model.directory
    const planned = yield* planTowers(modelConfig, ["vision"], config.quantizers, config.compat)
    const { choices } = planned
    yield* requireGrids(planned)
    yield* requireQuantizable(model.weights, choices)
    const { onError } = config
    const limits = pictureLimits(config.reading, config.compat)
    const tiles = yield* openCalibrationTiles(config, image, recipe.seed, { limits, onError })
    const shape = [patchGrid(modelConfig) ** 2 + 1, modelConfig.vision_config.hidden_size] as const
    const { cache, inputs } = config
    const weighted = config.weighting === "fisher"
    const caches = yield* owned(
      Effect.sync(() =>
        makeBlockCaches({
          backend,
          shape,
          count: tiles.count,
          memoryBudget: Number(cache),
          directory,
          inputs,
          weighted
        })
      ),
      ({ dispose }) => dispose()
    )
    const fisher = weighted ? yield* makeFisherGradient({ backend, model, seed }) : undefined
    const session = yield* owned(
      Effect.sync(() => makeVisionSession({ backend, model, choices, caches, tiles, fisher })),
      ({ close }) => close()
    )
    const source = sourcesOf(config).join(", ")
    const blocks = roundedBlocks(choices, modelConfig)
    const stepsPerBlock = config.iterations + 1

    // An iteration changes its tensors in place: one that fails may have changed some of them.
    let changing = false

    /** One iteration of the current block; after the last, the step that makes its rounding permanent. */
    const step = Effect.fnUntraced(function* (state: VisionRounding, done: number) {
      const index = blocks[Math.floor(done / stepsPerBlock)]!
      const block = yield* session.enter(state.done, index)
      const random = Random.make(seed, `mini-batches of block ${index}`)
      const rounding =
        state.current ?? (yield* computing(() => noGrad(() => scope(() => initialRounding(block.grids, random)))))
      if (done % stepsPerBlock === config.iterations) {
        const next = yield* computing(() => harden({ block, rounding, state, choices, caches, config }))
        const report = next.reports.at(-1)!
        yield* announce(report, next.done, choicesOfBlock(choices, index))
        // The error of a whole block is no loss of a mini-batch, and has no place on its curve.
        return { state: next, metrics: {} }
      }
      const drawn = drawBatch(rounding, caches.count, config.batch)
      changing = true
      const { next, losses } = yield* computing(async () => {
        const result = scope(() =>
          roundingStep(block, { ...rounding, random: drawn.random }, caches.batch(drawn.chosen), config)
        )
        return { next: result.state, losses: await readLosses(block, result.state, result.losses) }
      })
      changing = false
      const metrics = { loss: losses.reconstruction, regularizer: losses.rounding }
      return { state: { ...state, current: next }, metrics }
    })

    const program = Stage.program({
      steps: blocks.length * stepsPerBlock,
      state: visionRoundingCodec,
      initial: Effect.as(
        Effect.forEach(tiles.replaced, ({ at, reason: detail, by = "no other" }) =>
          emit(RunEvents.DataSubstituted, { source, sample: at, detail, by })
        ),
        { done: new Map(), reports: [], current: undefined } as VisionRounding
      ),
      step,
      isIntact: () => !changing,
      finish: ({ done, reports }: VisionRounding) =>
        Effect.succeed({
          output: { quantizedVision: { packed: done as PackedWeights, values: {} } },
          report: [
            ...blockSections(reports),
            ...roundedLayers(
              reports.flatMap((report, at) => factsOfBlock(report, done, choicesOfBlock(choices, blocks[at]!)))
            ),
            ...replacedSections(tiles)
          ]
        })
    })
    return yield* owningState(program, ({ done, current }) => {
      releasePacked(done)
      if (current) releaseRounding(current)
    })
  })
})

const announce = Effect.fnUntraced(function* (
  report: VisionRounding["reports"][number],
  done: PackedWeights,
  choices: ReturnType<typeof choicesOfBlock>
) {
  const { block, errorNearest, errorAdaround, kept } = report
  if (kept === "nearest") {
    const message = `${block}: error ${formatNumber(errorAdaround)} after AdaRound, ${formatNumber(errorNearest)} rounded to nearest, which was kept; more iterations or a higher learning rate may help`
    yield* emit(RunEvents.Warning, { message })
  }
  for (const fact of factsOfBlock(report, done, choices)) yield* emit(RunEvents.LayerQuantized, fact)
})
