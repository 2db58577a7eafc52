/** Makes a training sample of a record: token ids with labels, and the tiles of its images. */
import { ignoredLabel } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { ImageCodecMissing, SampleRejected, type SpecialTokenMissing } from "../Errors.ts"
import { decodePage, readImageHeader } from "../image/decodeImage.ts"
import { imageTileCount, imageTiles } from "../image/preprocess.ts"
import { joinTiles, type Tiles } from "../image/tiling.ts"
import type { RandomSource } from "../model/RandomSource.ts"
import { chatTokens } from "../tokenizer/chatTokens.ts"
import { controlTokenIn, controlTokens } from "../tokenizer/controlTokens.ts"
import { augmentImage, augmentTiles } from "./augment.ts"
import { type ConversationRecord, shownBy } from "./ConversationRecord.ts"
import { type EncodedConversation, encodeConversation, type Turn } from "./encodeConversation.ts"
import { markedTurns } from "./markedTurns.ts"
import { recordPath } from "./recordPath.ts"
import { tilesOfEach } from "./recordPictures.ts"
import type { SampleParts } from "./SampleParts.ts"
import type { RecordOrigin, SampleSettings } from "./SampleSettings.ts"
import { videoSample } from "./videoSample.ts"

export interface TrainingSample extends EncodedConversation {
  /** Tiles of all images, in order. */
  readonly tiles: Tiles
  /** [tiles.count]: 1 where a tile's tokens are in the sequence. */
  readonly imageFlags: Uint8Array
  /** Labels that count. 0 when truncation left nothing of the answers: such a sample has no loss. */
  readonly answerTokens: number
}

/**
 * Fails with SampleRejected, which names file, line and reason, whatever is wrong with the record or its files. A codec that is
 * missing is no fault of a record: replacing it by another one would not help.
 */
export const trainingSample = Effect.fnUntraced(function* (
  record: ConversationRecord,
  origin: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
): Effect.fn.Return<TrainingSample, ImageCodecMissing | SampleRejected | SpecialTokenMissing> {
  const { imageEnd } = yield* chatTokens(settings.tokenizer)
  const reject = (reason: string) => new SampleRejected({ file: origin.file, line: origin.line, reason })
  const parts = yield* showing(record, origin, settings, random).pipe(
    Effect.mapError((error) => {
      if (error instanceof ImageCodecMissing) return error
      return reject(typeof error === "string" ? error : error.message)
    })
  )
  const images = parts.encoded.inputIds.filter((id) => id === imageEnd).length
  if (parts.images !== undefined && images !== parts.images) {
    const cause = `after truncation to ${settings.maxLength} tokens the sequence has ${images} </img>`
    return yield* reject(`${cause}, but the record has ${parts.images} images`)
  }
  const answerTokens = parts.encoded.labels.filter((label) => label !== ignoredLabel).length
  return { ...parts.encoded, tiles: parts.tiles, imageFlags: parts.imageFlags, answerTokens }
})

const showing = Effect.fnUntraced(function* (
  record: ConversationRecord,
  origin: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
) {
  const spelled = settings.quirks.controlTokensInText ? undefined : spelledToken(record.conversations, settings)
  if (spelled !== undefined) return yield* Effect.fail(spelled)
  const shown = yield* Effect.fromResult(shownBy(record, settings.quirks))
  const marked = yield* Effect.fromResult(markedTurns(record.conversations, shown, settings.quirks))
  const maxTiles = origin.maxTiles ?? settings.image.maxTiles
  switch (shown.kind) {
    case "image":
      return yield* imageSample(marked.turns, [shown.path], maxTiles, origin, settings, random)
    case "images": {
      const each = tilesOfEach(maxTiles, shown.paths.length)
      return yield* imageSample(marked.turns, shown.paths, each, origin, settings, random)
    }
    case "video":
      return yield* videoSample(marked, { path: shown.path, clip: record.clip ?? undefined }, origin, settings, random)
    case "text":
      return yield* textSample(marked.turns, settings)
  }
})

/** Says which turn spells a control token out: as that token it would end a turn, or stand for a picture. */
const spelledToken = (turns: ReadonlyArray<Turn>, { tokenizer }: SampleSettings): string | undefined => {
  const control = controlTokens(tokenizer)
  for (const [index, { value }] of turns.entries()) {
    const token = controlTokenIn(value, tokenizer, control)
    if (token !== undefined)
      return `turn ${index + 1} spells out ${token}, a control token; take it out or write it otherwise`
  }
  return undefined
}

const imageSample = Effect.fnUntraced(function* (
  turns: ReadonlyArray<Turn>,
  paths: ReadonlyArray<string>,
  maxTiles: number,
  origin: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
) {
  // Sizes come first: a record that is rejected costs no decoding.
  const headers = yield* Effect.forEach(paths, (path) =>
    recordPath(origin.root, path).pipe(Effect.flatMap((file) => readImageHeader(file, settings)))
  )
  const counts = headers.map((header) => imageTileCount(header, settings.image, maxTiles))
  const encoded = yield* Effect.fromResult(encodeConversation(turns, counts, settings))
  const parts: Array<Tiles> = []
  for (const header of headers) {
    const image = yield* decodePage(header, 0)
    const { dynamic } = settings.image
    const source = origin.dataAugment && !dynamic ? yield* augmentImage(image, random) : image
    const tiles = imageTiles(source, settings.image, maxTiles)
    parts.push(origin.dataAugment && dynamic ? yield* augmentTiles(tiles, random) : tiles)
  }
  const tiles = joinTiles(parts, settings.image.tileSize)
  const imageFlags = new Uint8Array(tiles.count).fill(1)
  return { encoded, tiles, imageFlags, images: paths.length } satisfies SampleParts
})

const textSample = Effect.fnUntraced(function* (turns: ReadonlyArray<Turn>, settings: SampleSettings) {
  const encoded = yield* Effect.fromResult(encodeConversation(turns, [], settings))
  const size = settings.image.tileSize
  const count = settings.quirks.textOnlyTile ? 1 : 0
  const tiles = { count, size, data: new Uint8Array(count * size * size * 3).fill(255) }
  return { encoded, tiles, imageFlags: new Uint8Array(count), images: undefined } satisfies SampleParts
})
