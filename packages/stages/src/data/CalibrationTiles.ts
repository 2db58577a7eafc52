/** Tiles of drawn pictures: crops and thumbnail, as the model sees them. */
import {
  decodePage,
  type ImageSettings,
  imageTileCount,
  imageTiles,
  normalizeTiles,
  type PictureLimits,
  readImageHeader,
  readImageSize
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type DataUnusable, dataUnusable } from "../Errors.ts"
import { type DrawnPicture, drawPictures, type PictureSources } from "./calibrationPictures.ts"

/** The tiles that are used; one picture is in memory at a time. */
export interface CalibrationTiles {
  readonly count: number
  /** Pictures that they are of. */
  readonly pictures: number
  /** Calls `see` with the normalized pixels [3, S, S] of every tile, in order. */
  readonly visit: <E, R>(
    see: (pixels: Float32Array, tile: number) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | DataUnusable, R>
}

/**
 * Up to `count` tiles of the pictures that `seed` draws, known from the pictures' headers; of the last one perhaps not all. They
 * are in the order of the sources: where all pictures are used, the seed decides nothing. Fails with DataUnusable, which names
 * the file.
 */
export const openCalibrationTiles = Effect.fn("openCalibrationTiles")(function* (
  sources: PictureSources,
  image: ImageSettings,
  seed: number,
  limits: PictureLimits = {}
) {
  const used: (DrawnPicture & { readonly tiles: number })[] = []
  let count = 0
  for (const picture of yield* drawPictures(sources, seed)) {
    if (count >= sources.count) break
    const size = yield* Effect.mapError(readImageSize(picture.file, limits), dataUnusable)
    const tiles = Math.min(sources.count - count, imageTileCount(size, image, picture.maxTiles))
    used.push({ ...picture, tiles })
    count += tiles
  }
  // Pictures of one record keep the order in which it names them.
  used.sort((a, b) => a.place - b.place)

  const tilesOf = Effect.fnUntraced(function* ({ file, maxTiles }: DrawnPicture) {
    const decoded = yield* Effect.flatMap(readImageHeader(file, limits), (header) => decodePage(header, 0)).pipe(
      Effect.mapError(dataUnusable)
    )
    const cut = imageTiles(decoded, image, maxTiles)
    return { pixels: normalizeTiles(cut, image.statistics), floats: 3 * cut.size ** 2 }
  })
  const visit: CalibrationTiles["visit"] = Effect.fnUntraced(function* (see) {
    let next = 0
    for (const picture of used) {
      const { pixels, floats } = yield* tilesOf(picture)
      for (let tile = 0; tile < picture.tiles; tile++) {
        yield* see(pixels.subarray(tile * floats, (tile + 1) * floats), next++)
      }
    }
  })
  return { count, pictures: used.length, visit } satisfies CalibrationTiles
})
