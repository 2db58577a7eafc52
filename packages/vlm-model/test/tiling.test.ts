import { assert, describe, it } from "@effect/vitest"
import { Safetensors } from "@speedq/formats"
import * as Effect from "effect/Effect"
import {
  type ImageSettings,
  imagenetStatistics,
  imageTileCount,
  imageTiles,
  joinTiles,
  normalizeTiles,
  padToSquare,
  tileCount,
  tileGrid,
  tileImage,
  wholeTile
} from "../src/index.ts"
import { sharedFixturePath } from "./fixture.ts"
import { generatedImage } from "./generatedImage.ts"

const options = (tileSize: number, maxTiles: number) => ({ tileSize, minTiles: 1, maxTiles, thumbnail: true })
const grid = (width: number, height: number, maxTiles: number) => {
  const { columns, rows } = tileGrid(width, height, options(448, maxTiles))
  return `${columns}x${rows}`
}

describe("tileGrid", () => {
  it.effect("decides as the reference, over its fixture", () =>
    Effect.gen(function* () {
      const file = yield* Safetensors.open(sharedFixturePath("image/tiling-grid.safetensors"))
      const bytes = yield* file.read("rows")
      const rows = new BigInt64Array(bytes.slice().buffer)
      assert.isAbove(rows.length, 0)
      for (let at = 0; at < rows.length; at += 6) {
        const [width, height, maxTiles, columns, gridRows, tiles] = [...rows.subarray(at, at + 6)].map(Number)
        const chosen = options(448, maxTiles!)
        assert.deepEqual(tileGrid(width!, height!, chosen), { columns: columns!, rows: gridRows! })
        assert.strictEqual(tileCount(width!, height!, chosen), tiles)
      }
    })
  )

  it("decides the known sizes", () => {
    const six = { "800x1330": "2x3", "640x480": "3x2", "1920x1080": "2x1", "500x375": "3x2", "100x1000": "1x6" }
    const twelve = { "640x480": "4x3", "1920x1080": "4x2", "2000x1000": "4x2", "1000x500": "2x1" }
    for (const [maxTiles, cases] of [
      [6, six],
      [12, twelve]
    ] as const) {
      for (const [size, expected] of Object.entries(cases)) {
        const [width, height] = size.split("x").map(Number)
        assert.strictEqual(grid(width!, height!, maxTiles), expected, size)
      }
    }
  })

  it("breaks a tie by the number of pixels, at exactly half", () => {
    assert.strictEqual(grid(634, 634, 6), "2x2")
    assert.strictEqual(grid(633, 633, 6), "1x1")
  })

  it("keeps within its bounds and says when there is no grid", () => {
    for (const [width, height] of [
      [10, 10],
      [3000, 1000],
      [1, 4000]
    ] as const) {
      const { columns, rows } = tileGrid(width, height, { ...options(448, 6), minTiles: 4 })
      assert.isTrue(columns * rows >= 4 && columns * rows <= 6)
    }
    assert.throws(() => tileGrid(10, 10, { ...options(448, 0) }), RangeError, "0 tiles")
  })
})

describe("tileImage and normalizeTiles", () => {
  it.effect("give the reference's tiles and pixel values, bit for bit", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 5; n++) {
        const file = yield* Safetensors.open(sharedFixturePath(`image/preprocess-${n}.safetensors`))
        const [height, width] = file.tensors.get("image")!.shape
        const tileSize = Number(file.metadata.image_size)
        const image = { width: width!, height: height!, data: yield* file.read("image") }
        const tiles = tileImage(image, options(tileSize, Number(file.metadata.max_tiles)))
        assert.deepEqual([tiles.count, tiles.size, tiles.size, 3], [...file.tensors.get("tiles_u8")!.shape])
        assert.isTrue(Buffer.from(tiles.data).equals(yield* file.read("tiles_u8")), `tiles ${n}`)
        const pixels = new Float32Array((yield* file.read("pixel_values")).slice().buffer)
        assert.deepEqual(normalizeTiles(tiles, imagenetStatistics), pixels)
      }
    })
  )

  it("order tiles by rows of the grid, the thumbnail last", () => {
    const image = { width: 4, height: 2, data: Uint8Array.from({ length: 24 }, (_, i) => Math.floor(i / 3)) }
    const tiles = tileImage(image, { tileSize: 2, minTiles: 1, maxTiles: 2, thumbnail: true })
    assert.strictEqual(tiles.count, 3)
    const reds = [...tiles.data].filter((_, i) => i % 3 === 0)
    assert.deepEqual(reds.slice(0, 8), [0, 1, 4, 5, 2, 3, 6, 7])
    assert.deepEqual(
      [...normalizeTiles(tiles, { mean: [0, 0, 0], std: [1, 1, 1] }).slice(0, 2)],
      [0, Math.fround(1 / 255)]
    )
  })

  it("join, in order", () => {
    const a = tileImage(generatedImage(30, 10, 1), options(8, 3))
    const b = tileImage(generatedImage(8, 8, 2), options(8, 3))
    const joined = joinTiles([a, b], 8)
    assert.strictEqual(joined.count, a.count + b.count)
    assert.deepEqual(joined.data, Uint8Array.from([...a.data, ...b.data]))
    assert.strictEqual(joinTiles([], 8).count, 0)
  })
})

describe("imageTiles", () => {
  const settings: ImageSettings = {
    ...options(16, 6),
    dynamic: true,
    padToSquare: false,
    statistics: imagenetStatistics
  }
  const image = generatedImage(90, 30, 3)

  it("counts what it makes", () => {
    for (const maxTiles of [1, 2, 3, 6]) {
      for (const dynamic of [true, false]) {
        const chosen = { ...settings, dynamic, minTiles: 2 }
        assert.strictEqual(imageTiles(image, chosen, maxTiles).count, imageTileCount(image, chosen, maxTiles))
      }
    }
    assert.strictEqual(imageTiles(image, settings).count, 4)
  })

  it("makes one tile without tiling, in a square of the mean colour on request", () => {
    const plain = imageTiles(image, { ...settings, dynamic: false })
    assert.deepEqual(plain, wholeTile(image, settings))
    const square = padToSquare(image, imagenetStatistics)
    assert.deepEqual([square.width, square.height], [90, 90])
    assert.deepEqual([...square.data.subarray(0, 3)], [123, 116, 103])
    assert.deepEqual(square.data.subarray(30 * 90 * 3, 60 * 90 * 3), image.data)
    assert.deepEqual(wholeTile(image, { ...settings, padToSquare: true }), wholeTile(square, settings))
    const tall = padToSquare({ width: 1, height: 2, data: new Uint8Array(6).fill(9) }, imagenetStatistics)
    assert.deepEqual([...tall.data], [9, 9, 9, 123, 116, 103, 9, 9, 9, 123, 116, 103])
  })
})
