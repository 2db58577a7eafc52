import { crc32, deflateSync } from "node:zlib"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { mmStar } from "../src/benchmarks/MmStar.ts"
import { readDataFile } from "../src/data/DataFile.ts"
import { type RowImageOptions, rowImages } from "../src/data/rowImages.ts"
import { fileIn, noise, pngBase64, temporaryDirectory, tsvOf } from "./dataFiles.ts"

const header = ["index", "image", "question", "A", "B", "answer"]
const png = (seed: number) => Effect.promise(() => pngBase64(seed))

/** The images of every row of a file with these `image` cells. */
const imagesOf = (cells: readonly string[], options: RowImageOptions = {}, paths: readonly string[] = []) =>
  Effect.gen(function* () {
    const rows = cells.map((cell, i) => [
      String(i + 1),
      cell,
      "q",
      "x",
      "y",
      "A",
      ...(paths.length > 0 ? [paths[i]!] : [])
    ])
    const columns = paths.length > 0 ? [...header, "image_path"] : header
    const data = yield* readDataFile(fileIn(yield* temporaryDirectory, "data.tsv", tsvOf(columns, rows)), mmStar)
    return yield* Effect.forEach(data.rows, (row) => rowImages(data, row, options))
  })
const messageOf = (cell: string, options: RowImageOptions = {}) =>
  Effect.map(Effect.flip(imagesOf([cell], options)), (error) => `${error._tag}: ${error.message}`)

/** A PNG that promises so many pixels; its data would be 400 million times the same byte. */
const pngHeader = (width: number, height: number): Buffer => {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data])
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    checksum.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, checksum])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2], 8)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.alloc(64))),
    chunk("IEND", Buffer.alloc(0))
  ])
}

describe("rowImages", () => {
  it.effect("one image, a shared one, and a list", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* png(1), yield* png(2)]
      const images = yield* imagesOf([first, "1", `['${second}', "${first}"]`])
      assert.deepStrictEqual(
        images.map((row) => row.map(({ width, height }) => [width, height])),
        [
          [[8, 6]],
          [[8, 6]],
          [
            [8, 6],
            [8, 6]
          ]
        ]
      )
      assert.deepStrictEqual(images[0]![0]!.data, noise(1, 8, 6))
      assert.deepStrictEqual(images[1], images[0])
      assert.deepStrictEqual(
        images[2]!.map((image) => image.data),
        [noise(2, 8, 6), noise(1, 8, 6)]
      )
    })
  )

  it.effect("files, relative to the data file or to a given root", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      fileIn(directory, "1.png", Buffer.from(yield* png(3), "base64"))
      const columns = ["index", "image_path", "question", "A", "B", "answer"]
      const content = tsvOf(columns, [
        ["1", "1.png", "q", "x", "y", "A"],
        ["2", "2.png", "q", "x", "y", "A"],
        ["3", "", "q", "x", "y", "A"]
      ])
      const data = yield* readDataFile(fileIn(directory, "data.tsv", content), mmStar)
      assert.deepStrictEqual((yield* rowImages(data, data.rows[0]!))[0]!.data, noise(3, 8, 6))
      const elsewhere = yield* Effect.flip(rowImages(data, data.rows[0]!, { imageRoot: `${directory}/none` }))
      assert.match(elsewhere.message, /row 1 \(index 1\), column "image_path": .*none\/1\.png: cannot read: ENOENT/)
      const missing = yield* Effect.flip(rowImages(data, data.rows[1]!))
      assert.match(missing.message, /row 2 \(index 2\), column "image_path": .*2\.png: cannot read: ENOENT/)
      assert.match(
        (yield* Effect.flip(rowImages(data, data.rows[2]!))).message,
        /row 3 \(index 3\), column "image_path": the row has no image/
      )
    })
  )

  it.effect("what does not decode is named with file and row", () =>
    Effect.gen(function* () {
      assert.match(
        yield* messageOf("A".repeat(80)),
        /^RowInvalid: .*data\.tsv, row 1 \(index 1\), column "image": image: not an image that can be read/
      )
      assert.match(yield* messageOf(`${"A".repeat(80)}*`), /column "image": not base64: "\*" at character 81/)
      assert.match(yield* messageOf(`['${"A".repeat(80)}'`), /column "image": not base64: "\[" at character 1/)
      assert.match(
        yield* messageOf(`['${"A".repeat(80)}', 5]`),
        /column "image": not a Python list of strings: a string was expected/
      )
      const cut = (yield* png(4)).slice(0, 150)
      assert.match(yield* messageOf(cut), /column "image": image: not an image that can be read/)
    })
  )

  it.effect("an image with too many pixels is refused before it is decoded", () =>
    Effect.gen(function* () {
      const bomb = pngHeader(20_000, 20_000)
      assert.match(
        yield* messageOf(bomb.toString("base64")),
        /column "image": image: 20000 x 20000 pixels are more than 178956970/
      )
      assert.match(yield* messageOf(yield* png(5), { maxPixels: 47 }), /8 x 6 pixels are more than 47/)
    })
  )

  it.effect("images of a row have no more pixels together than one may have", () =>
    Effect.gen(function* () {
      const list = `['${yield* png(5)}', '${yield* png(6)}']`
      assert.strictEqual((yield* imagesOf([list], { maxPixels: 96 }))[0]!.length, 2)
      const refused = /column "image": its 2 pictures have 96 pixels together, more than 95;/
      assert.match(yield* messageOf(list, { maxPixels: 95 }), refused)
    })
  )

  it.effect("jpeg75 re-encodes single images, unless image_path keeps them, and lists only where it says so", () =>
    Effect.gen(function* () {
      const [a, b] = [yield* png(6), yield* png(7)]
      const exact = (images: readonly { readonly data: Uint8Array }[], seeds: readonly number[]) =>
        images.map(({ data }, i) => Buffer.compare(data, noise(seeds[i]!, 8, 6)) === 0)
      const [single, list] = yield* imagesOf([a, `['${a}', '${b}']`], { imageStore: "jpeg75" })
      assert.deepStrictEqual(exact(single!, [6]), [false])
      assert.deepStrictEqual(exact(list!, [6, 7]), [true, true])
      const paths = ["1.png", "['x.jpg', 'y.png']", "3.JPG"]
      const named = yield* imagesOf([a, `['${a}', '${b}']`, b], { imageStore: "jpeg75" }, paths)
      assert.deepStrictEqual(
        named.map((images, i) => exact(images, [[6], [6, 7], [7]][i]!)),
        [[true], [false, true], [false]]
      )
      const lossless = yield* imagesOf([a, `['${a}', '${b}']`, b], {}, paths)
      assert.deepStrictEqual(
        lossless.map((images, i) => exact(images, [[6], [6, 7], [7]][i]!)),
        [[true], [true, true], [true]]
      )
    })
  )
})
