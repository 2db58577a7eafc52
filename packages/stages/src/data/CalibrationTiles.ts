/** Tiles of calibration images: a directory of images, or a text file that lists them, one path a line. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import {
  decodePage,
  type ImageSettings,
  imageTileCount,
  imageTiles,
  normalizeTiles,
  type PictureLimits,
  readImageHeader
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { DataUnusable } from "../Errors.ts"

const imageName = /\.(png|jpe?g|webp|gif|bmp|tiff?)$/i

const unusable = (error: unknown) =>
  new DataUnusable({ reason: error instanceof Error ? error.message : String(error) })

/** Paths of the images that `source` names, in order: of a directory by name, of a list as it stands. */
export const calibrationImages = (source: string): Effect.Effect<readonly string[], DataUnusable> =>
  Effect.try({
    try: () => {
      if (statSync(source).isDirectory()) {
        const names = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => imageName.test(name))
        return names.sort().map((name) => join(source, name))
      }
      const lines = new TextDecoder().decode(readFileSync(source)).split(/\r?\n/)
      return lines.flatMap((line) => (line.trim() === "" ? [] : [resolve(dirname(source), line.trim())]))
    },
    catch: unusable
  })

/** The tiles that are used; one image is in memory at a time. */
export interface CalibrationTiles {
  readonly count: number
  /** Calls `see` with the normalized pixels [3, S, S] of every tile, in order. */
  readonly visit: <E, R>(
    see: (pixels: Float32Array, tile: number) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | DataUnusable, R>
}

/**
 * The first `count` tiles of `source`, or all when there are fewer, known from the images' headers. Fails with
 * DataUnusable, which names the file, also when the source has no image.
 */
export const openCalibrationTiles = Effect.fn("openCalibrationTiles")(function* (
  source: string,
  image: ImageSettings,
  { count: wanted, maxTiles }: { readonly count: number; readonly maxTiles: number },
  limits: PictureLimits = {}
) {
  const used: { readonly path: string; readonly tiles: number }[] = []
  let count = 0
  for (const path of yield* calibrationImages(source)) {
    if (count >= wanted) break
    const header = yield* Effect.mapError(readImageHeader(path, limits), unusable)
    const tiles = Math.min(wanted - count, imageTileCount(header, image, maxTiles))
    used.push({ path, tiles })
    count += tiles
  }
  if (count === 0) return yield* new DataUnusable({ reason: `${source} names no image` })

  const tilesOf = Effect.fnUntraced(function* (path: string) {
    const decoded = yield* Effect.flatMap(readImageHeader(path, limits), (header) => decodePage(header, 0)).pipe(
      Effect.mapError(unusable)
    )
    const cut = imageTiles(decoded, image, maxTiles)
    return { pixels: normalizeTiles(cut, image.statistics), floats: 3 * cut.size ** 2 }
  })
  const visit: CalibrationTiles["visit"] = Effect.fnUntraced(function* (see) {
    let next = 0
    for (const { path, tiles } of used) {
      const { pixels, floats } = yield* tilesOf(path)
      for (let tile = 0; tile < tiles; tile++) {
        yield* see(pixels.subarray(tile * floats, (tile + 1) * floats), next++)
      }
    }
  })
  return { count, visit } satisfies CalibrationTiles
})
