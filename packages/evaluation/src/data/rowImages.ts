/** The decoded images of a row: out of its cell, of the cell it refers to, or of files. */
import { dirname, extname, resolve } from "node:path"
import type { RgbImage } from "@speedq/vlm-model"
import { decodeImage, encodeJpeg } from "@speedq/vlm-model"
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

const invalid = (data: DataFile, row: DataRow, column: string, reason: string): RowInvalid =>
  new RowInvalid({ file: data.file, row: row.row, index: row.index, column, reason })

/** The text of a quoted or plain cell from its bytes in the file. */
const cellText = (bytes: Uint8Array): string => {
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

const fromCell = Effect.fnUntraced(function* (
  data: DataFile,
  row: DataRow,
  range: { readonly start: number; readonly end: number },
  options: RowImageOptions
) {
  const bytes = yield* readRange(data.file, range.start, range.end)
  const fail = (error: unknown) => invalid(data, row, "image", (error as Error).message)
  const encoded = yield* Effect.try({ try: () => encodedImages(cellText(bytes)), catch: fail })
  const lossy = storedAsJpeg(encoded.length, yield* imagePathsOf(data.file, row))
  return yield* Effect.forEach(encoded, (image, i) => {
    const name = encoded.length === 1 ? "image" : `image ${i + 1} of ${encoded.length}`
    const limit = options.maxPixels === undefined ? {} : { maxPixels: options.maxPixels }
    const decoded = decodeImage(image, { name, ...limit }).pipe(
      Effect.flatMap((rgb) =>
        options.imageStore === "jpeg75" && lossy[i] === true ? throughJpeg(rgb) : Effect.succeed(rgb)
      )
    )
    return Effect.mapError(decoded, fail)
  })
})

/** Reads and decodes a row's images, in order. Fails with FileFailed and RowInvalid (not base64, not an image, too large). */
export const rowImages = Effect.fn("evaluation.rowImages")(function* (
  data: DataFile,
  row: DataRow,
  options: RowImageOptions = {}
) {
  if (row.image.kind === "cell") return yield* fromCell(data, row, row.image, options)
  if (row.image.kind === "none") return yield* invalid(data, row, "image_path", "the row has no image")
  const root = options.imageRoot ?? dirname(data.file)
  const limit = options.maxPixels === undefined ? {} : { maxPixels: options.maxPixels }
  return yield* Effect.forEach(row.image.paths, (path) =>
    Effect.mapError(decodeImage(resolve(root, path), limit), (error) => invalid(data, row, "image_path", error.message))
  )
})
