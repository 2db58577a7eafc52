/** Makes a training sample of a record: token ids with labels, and the tiles of its images. */
import { ignoredLabel } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type { ImageCodecMissing, SampleRejected, SpecialTokenMissing } from "../Errors.ts"
import type { Tiles } from "../image/tiling.ts"
import type { RandomSource } from "../model/RandomSource.ts"
import { chatTokens } from "../tokenizer/chatTokens.ts"
import type { ConversationRecord, Shown } from "./ConversationRecord.ts"
import { type EncodedConversation, encodeConversation, type Turn } from "./encodeConversation.ts"
import { imageSample } from "./imageSample.ts"
import type { MarkedTurns } from "./markedTurns.ts"
import { type Refusal, refusal, rejectedAt } from "./Refusal.ts"
import { tilesOfEach } from "./recordPictures.ts"
import { recordRules } from "./recordRules.ts"
import type { SampleParts } from "./SampleParts.ts"
import type { RecordOrigin, SampleSettings } from "./SampleSettings.ts"
import { videoSample } from "./videoSample.ts"

/** A sample whose pixels are not decoded yet: from its text and the headers of what it shows. */
export interface SampleOutline extends EncodedConversation {
  readonly shown: Shown
  /** [tiles]: 1 where a tile's tokens are in the sequence. */
  readonly imageFlags: Uint8Array
  /** Labels that count. 0 when truncation left nothing of the answers: such a sample has no loss. */
  readonly answerTokens: number
  /** Decodes as many tiles as there are flags, those of all images in order. */
  readonly tiles: Effect.Effect<Tiles, ImageCodecMissing | SampleRejected>
}

export interface TrainingSample extends Omit<SampleOutline, "shown" | "tiles"> {
  readonly tiles: Tiles
}

/**
 * What a record will be trained on as, for a look at data that decodes nothing. Fails with SampleRejected, which names file, line
 * and reason, whatever is wrong with the record or the headers of its files. A codec that is missing is no fault of a record.
 */
export const sampleOutline = Effect.fnUntraced(function* (
  record: ConversationRecord,
  origin: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
): Effect.fn.Return<SampleOutline, ImageCodecMissing | SampleRejected | SpecialTokenMissing> {
  const { imageEnd } = yield* chatTokens(settings.tokenizer)
  const rejected = rejectedAt(origin)
  const { shown, ...parts } = yield* Effect.mapError(showing(record, origin, settings, random), rejected)
  const images = parts.encoded.inputIds.filter((id) => id === imageEnd).length
  if (parts.images !== undefined && images !== parts.images) {
    const cause = `after truncation to ${settings.maxLength} tokens the sequence has ${images} </img>`
    return yield* rejected(refusal("length")(`${cause}, but the record has ${parts.images} images`))
  }
  const answerTokens = parts.encoded.labels.filter((label) => label !== ignoredLabel).length
  const tiles = Effect.mapError(parts.tiles, rejected)
  return { ...parts.encoded, shown, imageFlags: parts.imageFlags, answerTokens, tiles }
})

/** Makes a sample. Fails as `sampleOutline` does, also where pixels cannot be decoded. */
export const trainingSample = Effect.fnUntraced(function* (
  record: ConversationRecord,
  origin: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
): Effect.fn.Return<TrainingSample, ImageCodecMissing | SampleRejected | SpecialTokenMissing> {
  const { shown: _, tiles, ...outline } = yield* sampleOutline(record, origin, settings, random)
  return { ...outline, tiles: yield* tiles }
})

const showing = Effect.fnUntraced(function* (
  record: ConversationRecord,
  origin: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
) {
  const { shown, marked } = yield* Effect.fromResult(recordRules(settings)(record))
  return { shown, ...(yield* partsOf(shown, marked, record.clip ?? undefined, origin, settings, random)) }
})

const partsOf = (
  shown: Shown,
  marked: MarkedTurns,
  clip: readonly [number, number] | undefined,
  origin: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
): Effect.Effect<SampleParts, Refusal | ImageCodecMissing> => {
  const maxTiles = origin.maxTiles ?? settings.image.maxTiles
  switch (shown.kind) {
    case "image":
      return imageSample(marked.turns, [shown.path], maxTiles, origin, settings, random)
    case "images": {
      const each = tilesOfEach(maxTiles, shown.paths.length)
      return imageSample(marked.turns, shown.paths, each, origin, settings, random)
    }
    case "video":
      return videoSample(marked, { path: shown.path, clip }, origin, settings, random)
    case "text":
      return textSample(marked.turns, settings)
  }
}

const textSample = (turns: ReadonlyArray<Turn>, settings: SampleSettings): Effect.Effect<SampleParts, Refusal> =>
  Effect.fromResult(encodeConversation(turns, [], settings)).pipe(
    Effect.mapError(refusal("turns")),
    Effect.map((encoded) => {
      const size = settings.image.tileSize
      const count = settings.quirks.textOnlyTile ? 1 : 0
      const tiles = Effect.sync(() => ({ count, size, data: new Uint8Array(count * size * size * 3).fill(255) }))
      return { encoded, tiles, imageFlags: new Uint8Array(count), images: undefined }
    })
  )
