/** How long a record's sequence will be, for grouping records of like length, without decoding any pixel. */
import * as Effect from "effect/Effect"
import type { ImageCodecMissing, SampleRejected } from "../Errors.ts"
import { readImageSize } from "../image/imageSize.ts"
import { imageTileCount } from "../image/preprocess.ts"
import { startIds, type Tokenizer } from "../tokenizer/Tokenizer.ts"
import { type ConversationRecord, shownBy } from "./ConversationRecord.ts"
import { refusal, refusedFile, rejectedAt } from "./Refusal.ts"
import { recordPath } from "./recordPath.ts"
import { tilesOfEach } from "./recordPictures.ts"
import type { RecordOrigin, SampleSettings } from "./SampleSettings.ts"

const textOf = (record: ConversationRecord): string => record.conversations.map(({ value }) => value).join("\n")

/** Tokens of a text that is a sequence of its own. */
const textTokens = (tokenizer: Tokenizer, text: string): number =>
  startIds(tokenizer).length + tokenizer.encode(text).length

/** Text tokens plus visual tokens, unless the record states its length. */
export const estimateLength = (
  record: ConversationRecord,
  tiles: number,
  options: { readonly tokenizer: Tokenizer; readonly tokensPerTile: number }
): number => record.length ?? textTokens(options.tokenizer, textOf(record)) + options.tokensPerTile * tiles

/** `estimateLength` with the tiles of the record's images, from their headers; a video counts its most frames. */
export const estimateRecordLength = Effect.fnUntraced(function* (
  record: ConversationRecord,
  origin: RecordOrigin,
  settings: SampleSettings
): Effect.fn.Return<number, ImageCodecMissing | SampleRejected> {
  const refused = Effect.mapError(rejectedAt(origin))
  const shown = yield* Effect.fromResult(shownBy(record, settings.quirks)).pipe(
    Effect.mapError(refusal("what it shows")),
    refused
  )
  const maxTiles = origin.maxTiles ?? settings.image.maxTiles
  const tilesOf = (path: string, most: number) =>
    Effect.mapError(recordPath(origin.root, path), refusal("missing file")).pipe(
      Effect.flatMap((file) => Effect.mapError(readImageSize(file, settings), refusedFile)),
      Effect.map((size) => imageTileCount(size, settings.image, most)),
      refused
    )
  let tiles = 0
  if (shown.kind === "video") tiles = settings.video.maxFrames
  if (shown.kind === "image") tiles = yield* tilesOf(shown.path, maxTiles)
  if (shown.kind === "images") {
    const each = tilesOfEach(maxTiles, shown.paths.length)
    for (const path of shown.paths) tiles += yield* tilesOf(path, each)
  }
  return Math.min(settings.maxLength, estimateLength(record, tiles, settings))
})

/**
 * The reference's estimate (`quirks.lengthByCharacters`): the first record with a given number of characters counts
 * its text tokens, every later one that count plus the visual tokens of the largest image, whatever it shows.
 */
export const referenceLengthEstimator = (options: {
  readonly tokenizer: Tokenizer
  readonly tokensPerTile: number
  readonly maxTiles: number
  readonly thumbnail: boolean
}): ((record: ConversationRecord) => number) => {
  const imageTokens = options.tokensPerTile * (options.maxTiles + (options.thumbnail ? 1 : 0))
  const known = new Map<number, number>()
  return (record) => {
    if (record.length !== undefined && record.length !== null) return record.length
    const text = textOf(record)
    const characters = [...text].length
    const seen = known.get(characters)
    if (seen !== undefined) return seen
    const tokens = textTokens(options.tokenizer, text)
    known.set(characters, tokens + imageTokens)
    return tokens
  }
}
