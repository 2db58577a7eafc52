/** How long the clipping search takes: sequences through the layers, and ranges tried for every group of their weights. */
import type { ClippingOptions } from "@speedq/quantizers"
import { sizeOf } from "@speedq/tensors"
import { blocksUsed } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { meanOf, type SequencesExtent } from "../calibration/extent.ts"
import { decoderPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import { type ChosenMatrix, clippingPiece, fakeQuantizationPiece, weightsOf } from "../measuring/weightPieces.ts"
import { languageLayerFlops, visionBlockFlops } from "../planning/cost.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"

/** A matrix whose ranges are searched. */
interface ClippedMatrix extends ChosenMatrix {
  readonly options: ClippingOptions
}

interface SearchWork {
  readonly model: PlannedModel
  readonly sequences: SequencesExtent
  /** Layers that sequences pass. */
  readonly layers: number
  readonly clipped: readonly ClippedMatrix[]
  /** Embedding and head, which are quantized before. */
  readonly frozen: readonly ChosenMatrix[]
}

/** Seconds of the work, and whether the machine was quiet; none where nothing can be measured. */
export const searchSeconds = Effect.fnUntraced(function* ({ model, sequences, layers, clipped, frozen }: SearchWork) {
  const { config, stored } = model
  const { count, like } = sequences
  const mean = meanOf(like)
  const tiles = mean((sequence) => sequence.tiles)
  const tokens = Math.max(1, Math.round(mean((sequence) => sequence.tokens)))
  // Time grows with the weights: the largest matrix stands for all.
  const largest = [...clipped].sort((a, b) => sizeOf(b.shape) - sizeOf(a.shape))[0]
  const measured = yield* measureSpeeds({
    forward: decoderPiece(config, { batch: 1, tokens, stored, learns: "nothing" }),
    vision: tiles > 0 ? visionPiece(config, { tiles: 1, stored, trained: false }) : undefined,
    search: largest && clippingPiece(largest.shape, largest.options),
    quantization: frozen.length > 0 ? fakeQuantizationPiece(frozen, false) : undefined
  })
  return Option.map(measured, ({ seconds, notes }) => {
    const passing = count * layers * mean((each) => languageLayerFlops(config, each.tokens)) * seconds.forward
    const seeing = count * tiles * blocksUsed(config) * visionBlockFlops(config) * seconds.vision
    const searching = weightsOf(clipped) * seconds.search
    return { seconds: passing + seeing + searching + weightsOf(frozen) * seconds.quantization, notes }
  })
})
