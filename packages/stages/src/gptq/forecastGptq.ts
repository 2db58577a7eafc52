/** What GPTQ takes of time and memory. */
import { sizeOf } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { meanOf, type SequencesExtent } from "../calibration/extent.ts"
import { codeOperations, codesPiece, factorOperations, factorPiece } from "../measuring/gptqPieces.ts"
import { decoderPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import type { ModelBlock } from "../model/modelBlocks.ts"
import { type PlannedLayers, quantizedMatrices } from "../model/plannedLayers.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"
import { hessianColumns, hessianFlops, passingOf } from "../posttraining/passing.ts"

const total = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0)

/** Most bytes of Hessians, of a factor, and of a weight while its columns are rounded. */
export const gptqBytes = (model: PlannedModel, linears: PlannedLayers, blocks: readonly ModelBlock[]): number => {
  const hessians = blocks.map((block) => hessianColumns(model.config, linears, block))
  const largest = Math.max(0, ...hessians.flat())
  const weights = quantizedMatrices(linears).map(({ shape }) => sizeOf(shape))
  // On the host a Hessian, as it is read, and its factor in double precision; the weight four times in f32, once in double, and codes.
  return (
    4 * Math.max(0, ...hessians.map((each) => total(each.map((columns) => columns ** 2)))) +
    12 * largest ** 2 +
    25 * Math.max(0, ...weights)
  )
}

interface GptqWork {
  readonly model: PlannedModel
  readonly linears: PlannedLayers
  readonly blocks: readonly ModelBlock[]
}

/** Seconds of the work; the arithmetic on the host is told by itself. */
export const gptqSeconds = ({ model, linears, blocks }: GptqWork) =>
  Effect.fnUntraced(function* (sequences: SequencesExtent) {
    const { config, stored } = model
    const passing = passingOf(config, sequences, blocks)
    const tokens = Math.max(1, Math.round(meanOf(sequences.like)((each) => each.tokens)))
    const matrices = quantizedMatrices(linears)
    const largest = [...matrices].sort((a, b) => b.shape[1]! - a.shape[1]!)[0]
    const measured = yield* measureSpeeds({
      vision: passing.vision > 0 ? visionPiece(config, { tiles: 1, stored, trained: false }) : undefined,
      forward: passing.language > 0 ? decoderPiece(config, { batch: 1, tokens, stored, learns: "nothing" }) : undefined,
      factor: largest && factorPiece(largest.shape[1]!),
      codes: largest && codesPiece(largest.choice, largest.shape[0]!, largest.shape[1]!)
    })
    return Option.map(measured, ({ seconds, notes }) => {
      const hessians = blocks.flatMap((block) => hessianColumns(config, linears, block))
      const moments = hessianFlops(config, linears, blocks, passing)
      const summing = moments.vision * seconds.vision + moments.language * seconds.forward
      const factors = total(hessians.map(factorOperations)) * seconds.factor
      const codes = total(matrices.map(({ shape }) => codeOperations(shape[0]!, shape[1]!))) * seconds.codes
      const passed = passing.vision * seconds.vision + passing.language * seconds.forward
      const widest = Math.max(0, ...hessians)
      const line = `${hessians.length} Hessians, the largest ${widest}x${widest}: ${Math.ceil(factors)} s to factor them, ${Math.ceil(codes)} s to choose codes, on one processor`
      return { seconds: passed + summing + factors + codes, notes: [line, ...notes] }
    })
  })
