/** How long Fisher weights take: passes through the rest of the model, and back. */
import { blocksUsed, type ModelConfig, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { VisionWork } from "../blocks/forecastVision.ts"
import { decoderPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import { languageFlops, visionBlockFlops } from "../planning/cost.ts"
import { answerTokens } from "./fisherGradient.ts"

/**
 * Operations of Fisher weights, forward: for each tile and block a pass through the blocks after it and the decoder, and back; for
 * each tile an answer. They are computed again on the way back, which is another pass.
 */
const fisherFlops = (config: ModelConfig, blocks: readonly number[], tiles: number) => {
  const tokens = tokensPerTile(config) + answerTokens
  const after = blocks.reduce((sum, index) => sum + blocksUsed(config) - 1 - index, 0)
  return {
    tower: tiles * after * visionBlockFlops(config),
    decoder: tiles * blocks.length * languageFlops(config, tokens),
    answers: tiles * languageFlops(config, tokens)
  }
}

/** Seconds of Fisher weights: of passes through the rest of the model and back. */
export const fisherSeconds = Effect.fnUntraced(function* ({ model, blocks, tiles, batch }: VisionWork) {
  const { config: network, stored } = model
  const passage = { batch: 1, tokens: tokensPerTile(network) + answerTokens, stored }
  const measured = yield* measureSpeeds({
    forward: visionPiece(network, { tiles: 1, stored, trained: false }),
    back: visionPiece(network, { tiles: batch, stored, trained: true }),
    answering: decoderPiece(network, { ...passage, learns: "nothing" }),
    weighing: decoderPiece(network, { ...passage, learns: "input" })
  })
  return Option.map(measured, ({ seconds, notes }) => {
    const flops = fisherFlops(network, blocks, tiles)
    const tower = flops.tower * (seconds.forward + seconds.back)
    const decoder = flops.decoder * (seconds.answering + seconds.weighing)
    return { seconds: tower + decoder + flops.answers * seconds.answering, notes }
  })
})
