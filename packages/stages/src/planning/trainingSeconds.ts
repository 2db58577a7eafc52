/** How long a training stage takes: the micro-batches that its data makes, each through teacher, student, losses and back. */
import type { RowLoss } from "@speedq/distillation"
import type { RecipeSettings } from "@speedq/pipeline"
import type { Shape } from "@speedq/tensors"
import { sizeOf } from "@speedq/tensors"
import { blocksUsed, type ModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { epochOrder } from "../data/SampleOrder.ts"
import type { Stored } from "../measuring/filled.ts"
import { decoderPiece, lossPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import { type ChosenMatrix, fakeQuantizationPiece, optimizerPiece } from "../measuring/weightPieces.ts"
import type { OptimizationConfig } from "../training/TrainingConfig.ts"
import { languageLayerFlops, projectorFlops, visionBlockFlops } from "./cost.ts"
import type { DataExtent } from "./dataExtent.ts"
import { roomForTiles } from "./featureForecast.ts"
import { rowsRead } from "./rowsRead.ts"
import { tilesComputed } from "./tilesComputed.ts"

interface TrainingWork {
  /** It says where features are kept. */
  readonly recipe: Pick<RecipeSettings, "features">
  readonly config: ModelConfig
  readonly stored: Stored
  readonly extent: Pick<DataExtent, "count" | "records" | "whole" | "distinct">
  /** Of the stage. */
  readonly seed: number
  readonly optimization: OptimizationConfig
  /** Samples of all steps, and steps. */
  readonly samples: number
  readonly steps: number
  /** Micro-batches that the teacher's confidence is measured on before. */
  readonly measured: number
  readonly rematerialize: boolean
  readonly losses: readonly RowLoss[]
  readonly teacher: boolean
  /** Whether features of the frozen student's tower are those of the teacher's, or none is needed. */
  readonly sharedTower: boolean
  /** Whether a part of the student's tower is trained, and what its features are drawn anew by. */
  readonly trainsTower: boolean
  readonly dropPath: number
  /** Matrices that are fake-quantized whenever they are read, and those that are quantized once. */
  readonly quantized: readonly ChosenMatrix[]
  readonly frozen: readonly ChosenMatrix[]
  /** Whether the grids of the first are learned. */
  readonly learnsGrids: boolean
  /** Shapes of what is trained, and whether the decoder is among it. */
  readonly trained: readonly Shape[]
  readonly trainsDecoder: boolean
}

/** A micro-batch: rows, tokens of the longest, tiles and answers of all, and rows of the vocabulary that the losses read. */
interface BatchExtent {
  readonly rows: number
  readonly tokens: number
  readonly tiles: number
  readonly answers: number
  readonly read: number
}

const total = <T>(of: readonly T[], each: (one: T) => number): number => of.reduce((sum, one) => sum + each(one), 0)

/**
 * Micro-batches of an epoch as the stage makes them: the very ones of its first steps, where every sample was looked at, else those
 * that records like these make.
 */
const batchesOf = (work: TrainingWork): readonly BatchExtent[] => {
  const { optimization, seed, steps } = work
  const { records, whole } = work.extent
  const { batch, accumulation, groupByLength } = optimization
  const lengthOf = (record: number): number => records[record]!.tokens
  const order = { count: records.length, batch, accumulation, seed, ...(groupByLength ? { lengthOf } : {}) }
  const epoch = epochOrder(order, 0)
  return (whole ? epoch.slice(0, steps) : epoch).flat().map((members) => {
    const all = members.map((member) => records[member]!)
    return {
      rows: all.length,
      tokens: Math.max(...all.map(({ tokens }) => tokens)),
      tiles: total(all, ({ tiles }) => tiles),
      answers: total(all, ({ answers }) => answers),
      read: total(all, (record) => rowsRead(work.losses, record))
    }
  })
}

/** Seconds of the stage's work, saving left out, and whether the machine was quiet; none where nothing can be measured. */
export const trainingSeconds = Effect.fnUntraced(function* (work: TrainingWork) {
  const { config, stored, extent, optimization, samples, losses, teacher, quantized, frozen } = work
  const batches = batchesOf(work)
  const usual = {
    batch: Math.max(1, Math.round(total(batches, ({ rows }) => rows) / batches.length)),
    tokens: Math.max(1, Math.round(total(batches, ({ tokens }) => tokens) / batches.length)),
    stored
  }
  const pieces = {
    // Of features that are kept a processor sees tiles one by one; where the tower learns it sees them together.
    vision: visionPiece(config, { tiles: 1, stored, trained: false }),
    towerTraining: work.trainsTower ? visionPiece(config, { tiles: usual.batch, stored, trained: true }) : undefined,
    forward: decoderPiece(config, { ...usual, learns: "nothing" }),
    training: decoderPiece(config, { ...usual, learns: work.trainsDecoder ? "all" : "input" }),
    losses: lossPiece(config, losses, stored, teacher),
    optimizer: optimizerPiece(work.trained, optimization.optimizerStates),
    fakeQuantization: quantized.length > 0 ? fakeQuantizationPiece(quantized, true, work.learnsGrids) : undefined,
    quantization: frozen.length > 0 ? fakeQuantizationPiece(frozen, false) : undefined
  }
  const measured = yield* measureSpeeds(pieces)
  return Option.map(measured, ({ seconds, notes }) => {
    const layers = config.llm_config.num_hidden_layers
    const decoderFlops = (each: BatchExtent) => layers * each.rows * languageLayerFlops(config, each.tokens)
    const words = config.llm_config.vocab_size
    const forward = (each: BatchExtent) => decoderFlops(each) * seconds.forward
    const taught = (each: BatchExtent) => forward(each) + projectorFlops(config, each.tiles) * seconds.forward
    const learned = (each: BatchExtent) =>
      (decoderFlops(each) + projectorFlops(config, each.tiles)) * seconds.training +
      (work.rematerialize ? forward(each) : 0) +
      each.read * words * seconds.losses
    const microBatches = samples / usual.batch
    const mean = (cost: (each: BatchExtent) => number) => total(batches, cost) / batches.length
    const weights = total(quantized, ({ shape }) => sizeOf(shape))
    // Weights are quantized again for the backward pass, forward alone.
    const quantizing = weights * seconds.fakeQuantization * 1.5

    const perTile = blocksUsed(config) * visionBlockFlops(config)
    const room = roomForTiles(config, optimization, work.recipe)
    const each = total(batches, ({ tiles }) => tiles) / total(batches, ({ rows }) => rows)
    // Confidence is measured on micro-batches that are trained on later.
    const again = room > 0 ? 0 : work.measured * usual.batch
    const computed = tilesComputed(extent, each, samples + again, room)
    const own = work.dropPath > 0 ? samples * each : tilesComputed(extent, each, samples, room)
    const seenTiles = samples * each
    const teacherTiles = teacher ? computed : 0
    const studentTiles = work.trainsTower || (teacher && work.sharedTower) ? 0 : own
    const tower =
      perTile *
      ((teacherTiles + studentTiles) * seconds.vision + (work.trainsTower ? seenTiles : 0) * seconds.towerTraining)

    const training = microBatches * (mean(learned) + quantizing + (teacher ? mean(taught) : 0))
    const confidence = work.measured * mean((each) => taught(each) + (each.answers * words * seconds.losses) / 3)
    const updates = work.steps * total(work.trained, sizeOf) * seconds.optimizer
    const beginning = total(frozen, ({ shape }) => sizeOf(shape)) * seconds.quantization
    return { seconds: tower + training + confidence + updates + beginning, notes }
  })
})
