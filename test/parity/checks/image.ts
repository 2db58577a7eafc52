/** Tiling decisions and pixels as PIL computes them (fixtures/image). */
import {
  imagenetStatistics,
  normalizeTiles,
  type TilingOptions,
  tileCount,
  tileGrid,
  tileImage
} from "@speedq/vlm-model"
import type { Check } from "../Check.ts"
import { compare, compareExactly } from "../compare.ts"

const tilingOf = (tileSize: number, maxTiles: number): TilingOptions => ({
  tileSize,
  minTiles: 1,
  maxTiles,
  thumbnail: true
})

export const tilingCheck: Check = {
  matches: /image\/tiling-grid/,
  run: async (fixture) => {
    const expected = fixture.integers("rows")
    const columns = fixture.shape("rows")[1]!
    const tileSize = fixture.number("image_size")
    const actual = Array.from({ length: expected.length / columns }, (_, row) => {
      const [width = 0, height = 0, maxTiles = 0] = expected.subarray(row * columns)
      const options = tilingOf(tileSize, maxTiles)
      const grid = tileGrid(width, height, options)
      return [width, height, maxTiles, grid.columns, grid.rows, tileCount(width, height, options)]
    })
    return [compareExactly("grids", actual.flat(), expected)]
  }
}

export const preprocessCheck: Check = {
  matches: /image\/preprocess-/,
  run: async (fixture) => {
    const [height = 0, width = 0] = fixture.shape("image")
    const image = { width, height, data: fixture.numbers("image") as Uint8Array }
    const options = tilingOf(fixture.number("image_size"), fixture.number("max_tiles"))
    const tiles = tileImage(image, options)
    const near = { relative: 1e-5, absolute: 1e-6 }
    const pixels = normalizeTiles(tiles, imagenetStatistics)
    return [
      compareExactly("tiles", tiles.data, fixture.numbers("tiles_u8")),
      compare("pixel_values", pixels, fixture.numbers("pixel_values"), near)
    ]
  }
}
