/** The work of a stage that fits the decoder layer by layer, by any method. */
import { packedWeights, releaseParameters } from "@speedq/exports"
import type { Stage } from "@speedq/pipeline"
import type { RuleSpec } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type { CalibratedInput } from "../calibration/calibratedStage.ts"
import type { CalibrationExtent } from "../calibration/calibrationForecast.ts"
import { leaveSeen } from "../calibration/leaveSeen.ts"
import { Compute } from "../compute/Compute.ts"
import type { RulesInvalid } from "../Errors.ts"
import { chosenLayers } from "../model/layerFact.ts"
import {
  type Choices,
  type EmbeddingConfig,
  type PlannedLayers,
  planEmbeddings,
  planTowers
} from "../model/plannedLayers.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { roundedMatrices } from "../model/roundedMatrices.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { makeBlockCaches } from "./BlockCaches.ts"
import type { BlockMethod } from "./BlockMethod.ts"
import { openDecoderTower } from "./decoderTower.ts"
import { fitBlocks } from "./fitBlocks.ts"

/** Options that such stages share. */
export interface DecoderConfig extends CalibrationExtent {
  readonly quantizers: readonly RuleSpec[]
  readonly embeddings: typeof EmbeddingConfig.Type
  readonly inputs: "asymmetric" | "full-precision"
  readonly worse: "nearest" | "keep"
  readonly cache: bigint | number
}

/** How layers are fitted. */
interface DecoderFit<L extends Parameters> {
  /** Fails where the method cannot fit a layer's quantizer. */
  readonly requireFit: (planned: PlannedLayers) => Effect.Effect<void, RulesInvalid>
  /** The method, made of the number of samples and the quantizers of layers. */
  readonly makeMethod: (samples: number, choices: Choices) => BlockMethod<L>
}

/** The program of the stage. */
export const fitDecoder = Effect.fnUntraced(function* <L extends Parameters>(
  config: DecoderConfig,
  { allocation, quantizedVision, projector }: CalibratedInput,
  stage: Stage.StageContext,
  { requireFit, makeMethod }: DecoderFit<L>
) {
  const { recipe, seed, directory } = stage
  const { backend } = yield* Compute
  const model = yield* openRecipeModel(recipe)
  const { calibration, compat } = config
  const planned = yield* planTowers(model.directory.config, ["language"], config.quantizers, compat, allocation)
  const embedded = yield* planEmbeddings(model.directory.config, config.embeddings, compat)
  yield* requireFit(planned)
  yield* requireQuantizable(model.weights, new Map([...planned.choices, ...embedded.choices]))
  const frozen = yield* owned(
    Effect.sync(() => roundedMatrices(model.weights, embedded.choices)),
    releaseParameters
  )
  const { packed = new Map(), values = {} } = quantizedVision ?? {}
  const weights = packedWeights(packed, values, { ...projector }, frozen, model.weights)
  const tower = yield* openDecoderTower({ backend, model, weights, calibration: config, inputs: config.inputs, stage })
  const caches = yield* owned(
    Effect.sync(() =>
      makeBlockCaches({
        backend,
        count: tower.count,
        width: model.directory.config.llm_config.hidden_size,
        memoryBudget: Number(config.cache),
        directory,
        inputs: config.inputs,
        weighted: false
      })
    ),
    ({ dispose }) => dispose()
  )
  return yield* fitBlocks({
    ...{ tower, choices: planned.choices, caches, seed, worse: config.worse },
    method: makeMethod(tower.count, planned.choices),
    output: (done) => ({ quantizedLanguage: { parameters: {}, choices: embedded.choices, packed: done } }),
    leave: (seen) =>
      Effect.map(leaveSeen(seen, calibration, directory), ({ sections, files }) => ({
        sections: [...chosenLayers(embedded.choices), ...sections],
        files
      }))
  })
})
