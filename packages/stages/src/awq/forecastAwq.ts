/** What AWQ takes of time and memory. */
import { sizeOf } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { searchGrid } from "../autoclip/clipLayer.ts"
import { meanOf, type SequencesExtent } from "../calibration/extent.ts"
import { decoderPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import { fakeQuantizationPiece, weightsOf } from "../measuring/weightPieces.ts"
import type { ModelBlock } from "../model/modelBlocks.ts"
import { type PlannedLayers, quantizedMatrices } from "../model/plannedLayers.ts"
import { languageLayerFlops } from "../planning/cost.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"
import { hessianColumns, hessianFlops, passingOf } from "../posttraining/passing.ts"
import type { AwqSettings } from "./awqBlock.ts"

interface AwqWork {
  readonly model: PlannedModel
  readonly linears: PlannedLayers
  readonly blocks: readonly ModelBlock[]
  readonly settings: AwqSettings
}

/** Most bytes of second moments, on the backend and on the host, and of a layer's weights as they are and as they are tried. */
export const awqBytes = ({ model, linears, blocks }: AwqWork): number => {
  const moments = blocks.map((block) => hessianColumns(model.config, linears, block))
  const together = moments.map((columns) => columns.reduce((sum, each) => sum + each ** 2, 0))
  const matrices = quantizedMatrices(linears)
  const group = Math.max(0, ...matrices.map(({ choice }) => searchGrid(choice)?.group ?? 0))
  const weights = matrices.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const layer = weights / Math.max(1, blocks.length)
  // On the host a matrix of moments as it is read, and what clipping needs of it in double precision.
  const columns = Math.max(0, ...moments.flat())
  return 4 * Math.max(0, ...together) + 4 * columns ** 2 + 8 * columns * group + 4 * 4 * layer
}

/** Seconds of the work: attention and MLP run once for each exponent, and each group is rounded with each range. */
export const awqSeconds = (work: AwqWork) =>
  Effect.fnUntraced(function* (sequences: SequencesExtent) {
    const { model, linears, blocks, settings } = work
    const { config, stored } = model
    const passing = passingOf(config, sequences, blocks)
    const mean = meanOf(sequences.like)
    const matrices = quantizedMatrices(linears)
    const tokens = Math.max(1, Math.round(mean((each) => each.tokens)))
    const measured = yield* measureSpeeds({
      vision: passing.vision > 0 ? visionPiece(config, { tiles: 1, stored, trained: false }) : undefined,
      forward: blocks.length > 0 ? decoderPiece(config, { batch: 1, tokens, stored, learns: "nothing" }) : undefined,
      rounding: matrices.length > 0 ? fakeQuantizationPiece(matrices, false) : undefined
    })
    return Option.map(measured, ({ seconds, notes }) => {
      const layer = sequences.count * mean((each) => languageLayerFlops(config, each.tokens))
      // Once as they are, which makes what the MLP reads, too, and once for each exponent.
      const tried = blocks.length * (settings.steps + 1) * layer
      const moments = hessianFlops(config, linears, blocks, passing).language
      const ranges = settings.clip ? Math.floor(settings.maxShrink * settings.gridSize) : 0
      const rounding = weightsOf(matrices) * (settings.steps + ranges + 1) * seconds.rounding
      const passed = passing.vision * seconds.vision + (passing.language + tried + moments) * seconds.forward
      const line = `${settings.steps} exponents for the scales of ${blocks.length} layers: ${Math.ceil(tried * seconds.forward)} s in attention and MLP`
      return { seconds: passed + rounding, notes: [line, ...notes] }
    })
  })
