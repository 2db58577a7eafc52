/** Training samples that show pictures: one, or several that share the tiles. */
import * as Effect from "effect/Effect"
import type { ImageCodecMissing } from "../Errors.ts"
import { decodeImage } from "../image/decodeImage.ts"
import { type ImageSize, readImageSize } from "../image/imageSize.ts"
import { overBudget } from "../image/pixelBudget.ts"
import { imageTileCount, imageTiles } from "../image/preprocess.ts"
import { joinTiles, type Tiles } from "../image/tiling.ts"
import type { RandomSource } from "../model/RandomSource.ts"
import { augmentImage, augmentTiles } from "./augment.ts"
import { encodeConversation, type Turn } from "./encodeConversation.ts"
import { type Refusal, refusal, refusedFile } from "./Refusal.ts"
import { recordPath } from "./recordPath.ts"
import type { SampleParts } from "./SampleParts.ts"
import type { RecordOrigin, SampleSettings } from "./SampleSettings.ts"

/** Each of `paths` becomes `maxTiles` tiles at most. */
export const imageSample = Effect.fnUntraced(function* (
  turns: ReadonlyArray<Turn>,
  paths: ReadonlyArray<string>,
  maxTiles: number,
  origin: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
): Effect.fn.Return<SampleParts, Refusal | ImageCodecMissing> {
  // Sizes come first: a record that is rejected costs no decoding.
  const pictures = yield* Effect.forEach(paths, (path) => measured(path, maxTiles, origin, settings))
  const refused = overBudget(
    pictures.map(({ size }) => size),
    settings
  )
  if (refused !== undefined) return yield* Effect.fail(refusal("what it shows")(refused))
  const counts = pictures.map(({ count }) => count)
  const encoded = yield* Effect.mapError(
    Effect.fromResult(encodeConversation(turns, counts, settings)),
    refusal("turns")
  )
  const tiles = Effect.forEach(pictures, (picture) => decoded(picture, maxTiles, origin, settings, random)).pipe(
    Effect.map((parts) => joinTiles(parts, settings.image.tileSize))
  )
  const imageFlags = new Uint8Array(counts.reduce((sum, count) => sum + count, 0)).fill(1)
  return { encoded, tiles, imageFlags, images: paths.length }
})

/** A picture's file and size, and how many tiles it becomes, from its first bytes. */
interface MeasuredPicture {
  readonly file: string
  readonly size: ImageSize
  readonly count: number
}

const measured = Effect.fnUntraced(function* (
  path: string,
  maxTiles: number,
  { root }: RecordOrigin,
  settings: SampleSettings
): Effect.fn.Return<MeasuredPicture, Refusal | ImageCodecMissing> {
  const file = yield* Effect.mapError(recordPath(root, path), refusal("missing file"))
  const size = yield* Effect.mapError(readImageSize(file, settings), refusedFile)
  return { file, size, count: imageTileCount(size, settings.image, maxTiles) }
})

const decoded = Effect.fnUntraced(function* (
  { file, count }: MeasuredPicture,
  maxTiles: number,
  { dataAugment }: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
): Effect.fn.Return<Tiles, Refusal | ImageCodecMissing> {
  const { dynamic } = settings.image
  const tiles = yield* Effect.gen(function* () {
    const image = yield* decodeImage(file, settings)
    const source = dataAugment && !dynamic ? yield* augmentImage(image, random) : image
    const cut = imageTiles(source, settings.image, maxTiles)
    return dataAugment && dynamic ? yield* augmentTiles(cut, random) : cut
  }).pipe(Effect.mapError(refusedFile))
  if (tiles.count === count) return tiles
  const reason = `${file}: it changed while it was read: ${tiles.count} tiles, and ${count} by its first bytes`
  return yield* Effect.fail(refusal("unreadable file")(reason))
})
