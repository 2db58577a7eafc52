/** What `modalities: "balanced"` needs of a stage's rules, and what it costs before the first block. */

import { blocksUsed } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { meanOf, type SequencesExtent } from "../calibration/extent.ts"
import { RulesInvalid } from "../Errors.ts"
import { decoderPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import type { ModelBlock } from "../model/modelBlocks.ts"
import { keptBytes, languageFlops, visionBlockFlops } from "../planning/cost.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"
import type { PosttrainingConfig } from "./PosttrainingConfig.ts"

type Modalities = Pick<PosttrainingConfig, "modalities">

export const isBalanced = ({ modalities }: Modalities): boolean => modalities === "balanced"

/** Fails with RulesInvalid where tokens are to be weighed, and no layer reads any of text. */
export const requireDecoder = (config: Modalities, blocks: readonly ModelBlock[]): Effect.Effect<void, RulesInvalid> =>
  !isBalanced(config) || blocks.some(({ tower }) => tower === "language")
    ? Effect.void
    : new RulesInvalid({
        reason:
          'modalities "balanced" weighs tokens in the decoder, and no rule quantizes a Linear of it; give the decoder rules, or leave modalities out'
      })

/** Bytes that a record's way forward and back takes: of each decoder layer its input, and what one layer keeps. */
export const balancingBytes = (model: PlannedModel, tokens: number): number =>
  keptBytes(model.config, { tokens, fakeQuantized: false, rematerialize: true })

/** Seconds of passing every record through tower and decoder, and back through the decoder, which computes each layer once more. */
export const balancingSeconds = Effect.fnUntraced(function* (model: PlannedModel, { count, like }: SequencesExtent) {
  const { config, stored } = model
  const mean = meanOf(like)
  const tiles = mean((each) => each.tiles)
  const tokens = Math.max(1, Math.round(mean((each) => each.tokens)))
  const measured = yield* measureSpeeds({
    vision: tiles > 0 ? visionPiece(config, { tiles: 1, stored, trained: false }) : undefined,
    forward: decoderPiece(config, { batch: 1, tokens, stored, learns: "nothing" }),
    back: decoderPiece(config, { batch: 1, tokens, stored, learns: "input" })
  })
  return Option.map(measured, ({ seconds, notes }) => {
    const seeing = count * tiles * blocksUsed(config) * visionBlockFlops(config) * seconds.vision
    const decoding = count * mean((each) => languageFlops(config, each.tokens)) * (seconds.forward + seconds.back)
    const line = `sensitivity of both modalities: each record forward and back once, ${Math.ceil(seeing + decoding)} s`
    return { seconds: seeing + decoding, notes: [line, ...notes] }
  })
})
