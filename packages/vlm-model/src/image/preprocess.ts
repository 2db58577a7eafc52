/** From a decoded image to the tiles that a model's config asks for. */
import type { PixelStatistics } from "./normalize.ts"
import { padToSquare } from "./padToSquare.ts"
import type { RgbImage } from "./RgbImage.ts"
import { resize } from "./resize.ts"
import { type Tiles, type TilingOptions, tileCount, tileImage } from "./tiling.ts"

/** How a model wants its images. */
export interface ImageSettings extends TilingOptions {
  /** False: every image is one tile (`dynamic_image_size`). */
  readonly dynamic: boolean
  /** Of images that become one tile without tiling (`pad2square`). */
  readonly padToSquare: boolean
  readonly statistics: PixelStatistics
}

/** Tiles of an image; `maxTiles` may be lower than the settings' when several images share them. */
export const imageTiles = (image: RgbImage, settings: ImageSettings, maxTiles = settings.maxTiles): Tiles =>
  settings.dynamic ? tileImage(image, bounded(settings, maxTiles)) : wholeTile(image, settings)

/** Number of tiles that `imageTiles` gives, from the size alone. */
export const imageTileCount = (
  { width, height }: { readonly width: number; readonly height: number },
  settings: ImageSettings,
  maxTiles = settings.maxTiles
): number => (settings.dynamic ? tileCount(width, height, bounded(settings, maxTiles)) : 1)

/** A whole image as one tile, whatever its shape: video frames, and images of models without tiling. */
export const wholeTile = (image: RgbImage, settings: ImageSettings): Tiles => {
  const size = settings.tileSize
  const shaped = settings.padToSquare ? padToSquare(image, settings.statistics) : image
  const { data } = resize(shaped, size, size)
  return { count: 1, size, data }
}

// Fewer tiles than the smallest grid are still one grid.
const bounded = (settings: ImageSettings, maxTiles: number): TilingOptions => ({
  ...settings,
  minTiles: Math.min(settings.minTiles, maxTiles),
  maxTiles
})
