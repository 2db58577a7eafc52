/**
 * Everything at once, to compare SPEED-Q's stages with: vision tower, projector and language model learn together under fake
 * quantization. Of the tower the Linears are trained, the weights that stage 1 would round.
 */
import { releasePacked } from "@speedq/exports"
import { layerOf, optionalOption, requiredOption, writtenAs } from "@speedq/formats"
import { Stage } from "@speedq/pipeline"
import { RuleList } from "@speedq/quantizers"
import { towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  Allocation,
  ClippingRanges,
  QuantizedLanguage,
  QuantizedVision,
  TrainedProjector
} from "../artefacts/artefacts.ts"
import { computing } from "../compute/computing.ts"
import { packMatrices } from "../model/packMatrices.ts"
import { owned } from "../model/stageMemory.ts"
import { towerParameters } from "../model/towerParameters.ts"
import { QatConfig } from "../qat/Qat.ts"
import type { JointQatOptions } from "../registry/stageOptions.ts"
import { decideLosses } from "../training/LossConfig.ts"
import { TrainedParts } from "../training/TrainingConfig.ts"
import { trainsBeyondTower } from "../training/trainedParts.ts"
import { trainingStage } from "../training/trainingStage.ts"

const JointQatConfig = Schema.Struct({
  ...QatConfig.fields,
  train: optionalOption(TrainedParts, {
    description: "Parts that are trained besides the tower's Linears and the language model's own layers.",
    source: "the projector alone"
  }),
  quantizers: requiredOption(RuleList, {
    description:
      "Rules that give the vision tower's and the decoder's Linears their quantizers; the first that matches decides."
  })
})

export const JointQat = Stage.define({
  name: "joint-qat",
  version: 2,
  config: writtenAs<JointQatOptions>()(JointQatConfig),
  uses: [Allocation, ClippingRanges, QuantizedVision, TrainedProjector, QuantizedLanguage],
  takes: ({ start = "model" }, { name }) =>
    start === "quantized" ? name !== ClippingRanges.name : name === Allocation.name || name === ClippingRanges.name,
  gives: [QuantizedVision, TrainedProjector, QuantizedLanguage],
  ...trainingStage({
    fakeQuantizes: ({ quantizeProjector }: typeof JointQatConfig.Type) =>
      quantizeProjector ? ["vision", "projector", "language"] : ["vision", "language"],
    trains: (name, quantized, options, config) =>
      towerOf(name) === "vision"
        ? quantized.linears.choices.has(layerOf(name))
        : trainsBeyondTower(name, quantized, options, config),
    losses: ({ loss, compat }) => decideLosses(loss, compat),
    seesEmbeddings: "language",
    artefacts: Effect.fnUntraced(function* ({ trained, packed, projector, quantized: { linears }, choices }) {
      const inTower = (layer: string) => towerOf(layer) === "vision"
      const tower = Object.entries(towerParameters("vision", trained))
      const open = Object.fromEntries(tower.filter(([name]) => !packed.has(layerOf(name))))
      const nearest = yield* owned(
        computing(() => packMatrices(open, linears.choices)),
        releasePacked
      )
      return {
        quantizedVision: {
          packed: new Map([...nearest, ...[...packed].filter(([layer]) => inTower(layer))]),
          values: {}
        },
        projector,
        quantizedLanguage: {
          parameters: towerParameters("language", trained),
          choices: new Map([...choices].filter(([layer]) => !inTower(layer))),
          packed: new Map([...packed].filter(([layer]) => !inTower(layer)))
        }
      }
    })
  })
})
