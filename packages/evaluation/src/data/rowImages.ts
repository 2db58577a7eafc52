/** The decoded images of a row: out of its cell, of the cell it refers to, or of files. */
import { dirname, extname, resolve } from "node:path"
import type { DecodeImageError, DecodeImageOptions, RgbImage } from "@speedq/vlm-model"
import { checkImage, decodeImage, encodeJpeg, overBudget, readImageHeader } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { RowInvalid } from "../Errors.ts"
import { readRange } from "../internal/files.ts"
import { parseStringList } from "../internal/pythonLiteral.ts"
import { recordReader } from "../internal/recordReader.ts"
import { type DataFile, type DataRow, imagePathsOf } from "./DataFile.ts"

export interface RowImageOptions {
  /**
   * How the image passes through the file that VLMEvalKit stores it in: `lossless` (the default; PNG, as since 2026-02), or
   * `jpeg75`, which re-encodes the images that were stored as JPEG of quality 75 at the time of arXiv:2511.08914: single
   * images, unless `image_path` gives them another ending. The bytes depend on the JPEG library's version.
   */
  readonly imageStore?: "lossless" | "jpeg75"
  /** Where relative paths of a column `image_path` start, in a file without a column `image`; default: the file's directory. */
  readonly imageRoot?: string
  /** Images with more pixels are refused. */
  readonly maxPixels?: number
}

/** Where a file that a row names in `image_path` is. */
export const picturePath = (data: DataFile, path: string, { imageRoot }: RowImageOptions): string =>
  resolve(imageRoot ?? dirname(data.file), path)

const invalid = (data: DataFile, row: DataRow, column: string, reason: string): RowInvalid =>
  new RowInvalid({ file: data.file, row: row.row, index: row.index, column, reason })

const quote = '"'.charCodeAt(0)

/** The text of a quoted or plain cell from its bytes in the file. */
const cellText = (bytes: Uint8Array): string => {
  if (bytes[0] !== quote) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
  let text = ""
  const reader = recordReader({
    keep: () => ({ bytes: bytes.length, fail: false }),
    onRecord: ({ cells }) => {
      text = Buffer.from(cells[0]!.bytes).toString("latin1")
    }
  })
  reader.push(bytes)
  reader.end()
  return text
}

const notBase64 = /[^A-Za-z0-9+/=\s]/

const decodeBase64 = (text: string): Uint8Array => {
  const at = text.search(notBase64)
  if (at >= 0) throw new SyntaxError(`not base64: ${JSON.stringify(text[at])} at character ${at + 1}`)
  return Buffer.from(text, "base64")
}

/** Encoded images of a cell: one, or a Python list of several. */
const encodedImages = (text: string): readonly Uint8Array[] =>
  (text.startsWith("[") && text.endsWith("]") ? parseStringList(text) : [text]).map(decodeBase64)

/** Whether VLMEvalKit stored each image of the row as a JPEG file. */
const storedAsJpeg = (images: number, paths: readonly string[]): readonly boolean[] => {
  if (paths.length === 0) return Array.from({ length: images }, () => images === 1)
  return Array.from({ length: images }, (_, i) => /^\.jpe?g$/i.test(extname(paths[i] ?? "")))
}

const throughJpeg = (image: RgbImage) =>
  Effect.flatMap(encodeJpeg(image, 75), (bytes) => decodeImage(bytes, { maxPixels: Number.POSITIVE_INFINITY }))

/** An encoded picture of a row: bytes of a cell, or a file. */
interface EncodedImage {
  readonly source: string | Uint8Array
  /** What errors call bytes. */
  readonly name: string
  readonly stored: "lossless" | "jpeg"
}

const inCell = Effect.fnUntraced(function* (
  data: DataFile,
  row: DataRow,
  range: { readonly start: number; readonly end: number }
) {
  const bytes = yield* readRange(data.file, range.start, range.end)
  const encoded = yield* Effect.try({
    try: () => encodedImages(cellText(bytes)),
    catch: (error) => invalid(data, row, "image", (error as Error).message)
  })
  const lossy = storedAsJpeg(encoded.length, yield* imagePathsOf(data.file, row))
  return encoded.map((source, i): EncodedImage => {
    const name = encoded.length === 1 ? "image" : `image ${i + 1} of ${encoded.length}`
    return { source, name, stored: lossy[i] === true ? "jpeg" : "lossless" }
  })
})

/** Does the same to each of a row's encoded images, in order. */
const forEachImage = Effect.fnUntraced(function* <A>(
  data: DataFile,
  row: DataRow,
  options: RowImageOptions,
  use: (image: EncodedImage, options: DecodeImageOptions) => Effect.Effect<A, DecodeImageError>
) {
  const { image } = row
  if (image.kind === "none") return yield* invalid(data, row, "image_path", "the row has no image")
  const images =
    image.kind === "cell"
      ? yield* inCell(data, row, image)
      : image.paths.map((path): EncodedImage => {
          const source = picturePath(data, path, options)
          return { source, name: source, stored: "lossless" }
        })
  const column = image.kind === "cell" ? "image" : "image_path"
  const limit = options.maxPixels === undefined ? {} : { maxPixels: options.maxPixels }
  if (images.length > 1) {
    const headers = yield* Effect.forEach(images, ({ source, name }) =>
      Effect.mapError(readImageHeader(source, { name, ...limit }), (error) => invalid(data, row, column, error.message))
    )
    const refused = overBudget(headers, limit)
    if (refused !== undefined) return yield* invalid(data, row, column, refused)
  }
  return yield* Effect.forEach(images, (each) =>
    Effect.mapError(use(each, { name: each.name, ...limit }), (error) => invalid(data, row, column, error.message))
  )
})

/** Reads and decodes a row's images, in order. Fails with FileFailed and RowInvalid (not base64, not an image, too large). */
export const rowImages = Effect.fn("evaluation.rowImages")(
  (data: DataFile, row: DataRow, options: RowImageOptions = {}) =>
    forEachImage(data, row, options, ({ source, stored }, limits) =>
      Effect.flatMap(decodeImage(source, limits), (image) =>
        options.imageStore === "jpeg75" && stored === "jpeg" ? throughJpeg(image) : Effect.succeed(image)
      )
    )
)

/** Fails as {@link rowImages} would, without decoding: see `checkImage`. */
export const checkRowImages = (data: DataFile, row: DataRow, options: RowImageOptions = {}) =>
  forEachImage(data, row, options, ({ source }, limits) => checkImage(source, limits))
