/**
 * Everything at once, to compare SPEED-Q's stages with: vision tower, projector and language model learn together under fake
 * quantization. Of the tower the Linears are trained, the weights that stage 1 would round.
 */
import { releasePacked } from "@speedq/exports"
import { layerOf, requiredOption, writtenAs } from "@speedq/formats"
import { Stage } from "@speedq/pipeline"
import { RuleList } from "@speedq/quantizers"
import { towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ClippingRanges, QuantizedLanguage, QuantizedVision, TrainedProjector } from "../artefacts/artefacts.ts"
import { computing } from "../compute/computing.ts"
import { owned } from "../model/stageMemory.ts"
import { towerParameters } from "../model/towerParameters.ts"
import { QatConfig } from "../qat/Qat.ts"
import type { JointQatOptions } from "../registry/stageOptions.ts"
import { decideLosses } from "../training/LossConfig.ts"
import { trainingStage } from "../training/trainingStage.ts"
import { packTower } from "./packTower.ts"

const JointQatConfig = Schema.Struct({
  ...QatConfig.fields,
  quantizers: requiredOption(RuleList, {
    description:
      "Rules that give the vision tower's and the decoder's Linears their quantizers; the first that matches decides."
  })
})

export const JointQat = Stage.define({
  name: "joint-qat",
  version: 2,
  config: writtenAs<JointQatOptions>()(JointQatConfig),
  uses: [ClippingRanges],
  gives: [QuantizedVision, TrainedProjector, QuantizedLanguage],
  ...trainingStage({
    fakeQuantizes: ["vision", "language"],
    trains: (name, { linears, embeddings }) =>
      towerOf(name) === "vision" ? linears.choices.has(layerOf(name)) : !embeddings.choices.has(layerOf(name)),
    losses: ({ loss, compat }: typeof JointQatConfig.Type) => decideLosses(loss, compat),
    artefacts: Effect.fnUntraced(function* (trained, { linears, embeddings }) {
      const language = [...linears.choices].filter(([layer]) => towerOf(layer) === "language")
      return {
        quantizedVision: {
          packed: yield* owned(
            computing(() => packTower(towerParameters("vision", trained), linears.choices)),
            releasePacked
          ),
          values: {}
        },
        projector: towerParameters("projector", trained),
        quantizedLanguage: {
          parameters: towerParameters("language", trained),
          choices: new Map([...language, ...embeddings.choices])
        }
      }
    })
  })
})
