/** Stage 2 of SPEED-Q: the projector alone learns to fit the quantized, frozen vision tower (arXiv:2511.08914 §3). */
import { requiredOption, writtenAs } from "@speedq/formats"
import { Stage } from "@speedq/pipeline"
import { towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { QuantizedVision, TrainedProjector } from "../artefacts/artefacts.ts"
import { EmbeddingConfig } from "../model/plannedLayers.ts"
import type { TrainProjectorOptions } from "../registry/stageOptions.ts"
import { crossEntropyAlone } from "../training/LossConfig.ts"
import { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { trainingStage } from "../training/trainingStage.ts"

const TrainProjectorConfig = Schema.Struct({
  data: requiredOption(DataConfig, { description: "What is trained on." }),
  ...OptimizationConfig.fields,
  embeddings: EmbeddingConfig
})

export const TrainProjector = Stage.define({
  name: "train-projector",
  version: 2,
  config: writtenAs<TrainProjectorOptions>()(TrainProjectorConfig),
  needs: [QuantizedVision],
  gives: [TrainedProjector],
  ...trainingStage({
    fakeQuantizes: () => [],
    trains: (name) => towerOf(name) === "projector",
    losses: () => crossEntropyAlone,
    seesEmbeddings: "projector",
    artefacts: ({ projector }) => Effect.succeed({ projector })
  })
})
