/** The decoder, layer by layer, on calibration data: records with their pictures, or blocks of text. */
import type { SourceModel } from "@speedq/exports"
import type { Events, SavedFileDamaged, Stage, StorageFailed } from "@speedq/pipeline"
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import { decoderLayer, embedTokens, type LanguageConfig, type Weights, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { openRecordEmbedder, readBlocks, seesImages } from "../calibration/calibration.ts"
import type { CalibrationExtent } from "../calibration/calibrationForecast.ts"
import { eachRecord } from "../calibration/records.ts"
import type { Seen } from "../calibration/seen.ts"
import { type ComputeFailed, computing } from "../compute/computing.ts"
import { countSamples } from "../data/openStageData.ts"
import type { SampleWorkerFailed, SampleWorkers } from "../data/SampleWorkers.ts"
import type { DataUnusable } from "../Errors.ts"
import { blockNames } from "../model/modelBlocks.ts"
import type { DataConfig } from "../training/TrainingConfig.ts"
import type { BlockTower, FirstInputs } from "./BlockTower.ts"

interface DecoderTowerOptions {
  readonly backend: Backend
  readonly model: SourceModel
  /** Of what is before the decoder, as it is quantized: tower, projector, embedding. */
  readonly weights: Weights
  readonly calibration: CalibrationExtent
  /** Whose inputs layers are fitted on: the quantized model's, or the original's. */
  readonly inputs: "asymmetric" | "full-precision"
  readonly stage: Pick<Stage.StageContext, "recipe" | "seed" | "directory">
}

type DecoderTower = BlockTower<
  ComputeFailed | DataUnusable | SampleWorkerFailed | SavedFileDamaged | StorageFailed,
  Events | SampleWorkers
>

/** Positions i32 [B, T] of samples that begin at 0. What fills them up is at their ends: causal attention never sees it. */
const positionsOf = (backend: Backend, [batch, length]: readonly [number, number]): Tensor =>
  tensor(
    backend,
    Int32Array.from({ length: batch * length }, (_, at) => at % length),
    [batch, length],
    "i32"
  )

/** Decoder layer `index` on samples that begin at position 0: [B, T, H] -> [B, T, H]. */
export const decoderForward =
  (backend: Backend, language: LanguageConfig): DecoderTower["forward"] =>
  (weights, index, x) => {
    const [batch, length] = x.shape as readonly [number, number, number]
    return decoderLayer(weights, language, index, x, { ids: positionsOf(backend, [batch, length]) })
  }

/** Shows a sample as both models begin with it, and releases it; where inputs are those of the original model, that one's alone is made. */
const showing = <E, R>(
  { inputs }: Pick<DecoderTowerOptions, "inputs">,
  make: (quantized: boolean) => Effect.Effect<Tensor, ComputeFailed>,
  see: (inputs: FirstInputs) => Effect.Effect<void, E, R>
): Effect.Effect<void, E | ComputeFailed, R> => {
  const held = (quantized: boolean, use: (embeddings: Tensor) => Effect.Effect<void, E | ComputeFailed, R>) =>
    Effect.acquireUseRelease(make(quantized), use, (embeddings) => Effect.sync(() => embeddings.release()))
  return inputs === "asymmetric"
    ? held(true, (quantized) => held(false, (original) => see({ quantized, original })))
    : held(false, (original) => see({ quantized: original, original }))
}

/** Records: the first `documents` of the mixture, in the stage's order. */
const recordsOf = (options: DecoderTowerOptions, data: DataConfig) => {
  const { backend, model, weights, calibration, stage } = options
  const { directory } = model
  const { documents, compat } = calibration
  return Effect.map(countSamples({ ...stage, data, compat }), (count) => {
    let seen: Seen | undefined
    const visit: DecoderTower["visit"] = Effect.fnUntraced(function* (see, tells) {
      const of = { backend, directory, stage }
      const embedders = {
        quantized: yield* openRecordEmbedder({ ...of, weights }),
        original: yield* openRecordEmbedder({ ...of, weights: weightsFrom(model.weights) })
      }
      seen = yield* eachRecord({ data, documents, compat, stage, tells }, (record, index) =>
        showing(
          options,
          (quantized) => computing(() => embedders[quantized ? "quantized" : "original"].embed(record, index)),
          (inputs) => see(inputs, index)
        )
      )
      if (options.inputs === "asymmetric") yield* embedders.quantized.tell
      yield* embedders.original.tell
    })
    return { count: Math.min(documents, count), visit, seen: () => seen }
  })
}

/** Blocks of text. */
const textsOf = (options: DecoderTowerOptions, file: string) => {
  const { backend, model, weights, calibration } = options
  const { directory } = model
  const embed = (from: Weights, block: Int32Array) =>
    noGrad(() =>
      scope(() => embedTokens(from, directory.config.llm_config, tensor(backend, block, [1, block.length], "i32")))
    )
  return Effect.map(readBlocks(file, directory.tokenizer, calibration), (blocks) => {
    const visit: DecoderTower["visit"] = (see) =>
      Effect.forEach(
        blocks,
        (block, index) =>
          showing(
            options,
            (quantized) => computing(() => embed(quantized ? weights : weightsFrom(model.weights), block)),
            (inputs) => see(inputs, index)
          ),
        { discard: true }
      )
    return { count: blocks.length, visit }
  })
}

/** Fails with DataUnusable where the data cannot be read. */
export const openDecoderTower = Effect.fnUntraced(function* (options: DecoderTowerOptions) {
  const { backend, model, calibration: extent } = options
  const { calibration } = extent
  const language = model.directory.config.llm_config
  const samples = seesImages(calibration)
    ? yield* recordsOf(options, calibration)
    : yield* textsOf(options, calibration)
  const tower: DecoderTower = {
    title: "decoder layer",
    blocks: blockNames(model.directory.config, "language"),
    weights: model.weights,
    forward: decoderForward(backend, language),
    ...samples
  }
  return tower
})
