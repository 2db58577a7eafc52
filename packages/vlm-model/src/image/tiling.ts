/** InternVL's dynamic tiling: an image becomes a grid of square tiles whose shape is nearest to its own. */
import type { RgbImage } from "./RgbImage.ts"
import { resize } from "./resize.ts"

export interface TilingOptions {
  /** Side of a tile in pixels. */
  readonly tileSize: number
  /** Bounds on columns x rows. */
  readonly minTiles: number
  readonly maxTiles: number
  /** Appends the whole image as one more tile when the grid has more than one. */
  readonly thumbnail: boolean
}

export interface TileGrid {
  readonly columns: number
  readonly rows: number
}

/** Square tiles in one piece of memory. `data` is [count, size, size, 3]. */
export interface Tiles {
  readonly count: number
  readonly size: number
  readonly data: Uint8Array
}

/** Every grid with `minTiles <= columns * rows <= maxTiles`, fewest tiles first. */
const candidates = (minTiles: number, maxTiles: number): ReadonlyArray<TileGrid> => {
  const grids: Array<TileGrid> = []
  for (let columns = 1; columns <= maxTiles; columns++) {
    for (let rows = 1; columns * rows <= maxTiles; rows++) {
      if (columns * rows >= minTiles) grids.push({ columns, rows })
    }
  }
  return grids.sort((a, b) => a.columns * a.rows - b.columns * b.rows)
}

/**
 * The grid whose aspect ratio is nearest to the image's. Of equally near ones (2x1, 4x2) the larger is taken only if
 * the image has more than half its pixels. Throws RangeError when there is no grid.
 */
export const tileGrid = (width: number, height: number, options: TilingOptions): TileGrid => {
  const { tileSize, minTiles, maxTiles } = options
  const ratio = width / height
  let best: TileGrid | undefined
  let nearest = Number.POSITIVE_INFINITY
  for (const grid of candidates(minTiles, maxTiles)) {
    const distance = Math.abs(ratio - grid.columns / grid.rows)
    const large = width * height > 0.5 * tileSize * tileSize * grid.columns * grid.rows
    if (distance < nearest || (distance === nearest && large)) {
      best = grid
      nearest = distance
    }
  }
  if (best === undefined) throw new RangeError(`no grid of ${minTiles} to ${maxTiles} tiles fits ${width} x ${height}`)
  return best
}

/** Number of tiles an image of this size becomes, thumbnail included. */
export const tileCount = (width: number, height: number, options: TilingOptions): number => {
  const { columns, rows } = tileGrid(width, height, options)
  return columns * rows + (options.thumbnail && columns * rows > 1 ? 1 : 0)
}

/** Cuts an image into its tiles, row by row of the grid; the thumbnail comes last. */
export const tileImage = (image: RgbImage, options: TilingOptions): Tiles => {
  const size = options.tileSize
  const { columns, rows } = tileGrid(image.width, image.height, options)
  const count = tileCount(image.width, image.height, options)
  const data = new Uint8Array(count * size * size * 3)
  const resized = resize(image, columns * size, rows * size)
  const rowBytes = size * 3
  for (let tile = 0; tile < columns * rows; tile++) {
    const left = (tile % columns) * rowBytes
    const top = Math.floor(tile / columns) * size
    for (let y = 0; y < size; y++) {
      const from = (top + y) * columns * rowBytes + left
      data.set(resized.data.subarray(from, from + rowBytes), (tile * size + y) * rowBytes)
    }
  }
  if (count > columns * rows) data.set(resize(image, size, size).data, (count - 1) * size * rowBytes)
  return { count, size, data }
}

/** The tiles of several images, one after the other. */
export const joinTiles = (parts: ReadonlyArray<Tiles>, size: number): Tiles => {
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  const data = new Uint8Array(count * size * size * 3)
  let at = 0
  for (const part of parts) {
    data.set(part.data, at)
    at += part.data.length
  }
  return { count, size, data }
}
