/** Tiles of calibration images: a directory of images, or a text file that lists them, one path a line. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, isAbsolute, join } from "node:path"
import { decodeImage, type ImageSettings, imageTiles, normalizeTiles } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { DataUnusable } from "../Errors.ts"

const imageName = /\.(png|jpe?g|webp|gif)$/i

/** Paths of the images that `source` names. */
const listImages = (source: string): readonly string[] => {
  if (statSync(source).isDirectory()) {
    const names = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => imageName.test(name))
    return names.sort().map((name) => join(source, name))
  }
  const lines = readFileSync(source, "utf8").split(/\r?\n/)
  return lines.flatMap((line) => {
    const path = line.trim()
    return path === "" ? [] : [isAbsolute(path) ? path : join(dirname(source), path)]
  })
}

/**
 * Normalized pixels [3, S, S] of the first `count` tiles. Fails with DataUnusable, which names the file, also when the
 * source has no image.
 */
export const calibrationTiles = Effect.fn("calibrationTiles")(function* (
  source: string,
  image: ImageSettings,
  { count, maxTiles }: { readonly count: number; readonly maxTiles: number }
) {
  const paths = yield* Effect.try({
    try: () => listImages(source),
    catch: (error) => new DataUnusable({ reason: error instanceof Error ? error.message : String(error) })
  })
  const tiles: Float32Array[] = []
  for (const path of paths) {
    if (tiles.length >= count) break
    const decoded = yield* decodeImage(path).pipe(
      Effect.mapError((error) => new DataUnusable({ reason: error.message }))
    )
    const cut = imageTiles(decoded, image, maxTiles)
    const pixels = normalizeTiles(cut, image.statistics)
    const size = 3 * cut.size ** 2
    for (let tile = 0; tile < cut.count && tiles.length < count; tile++) {
      tiles.push(pixels.subarray(tile * size, (tile + 1) * size))
    }
  }
  if (tiles.length === 0) return yield* new DataUnusable({ reason: `${source} names no image` })
  return tiles
})
