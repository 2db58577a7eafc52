/** Whether a picture can be decoded, by its first and last bytes: of a benchmark with thousands of pictures, before any work. */
import { readBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { ImageTooLarge } from "../Errors.ts"
import { type DecodeImageError, type DecodeImageOptions, decodeImage } from "./decodeImage.ts"
import { sizeOfHeader } from "./imageSize.ts"
import { defaultMaxPixels } from "./maxPixels.ts"

const pngEnd = Buffer.from("0000000049454e44ae426082", "hex")

/** Whether a PNG, JPEG, GIF or WebP ends as its format demands. Some good files have more bytes behind; other formats do not tell. */
const endsWhole = (bytes: Buffer): boolean => {
  switch (bytes[0]) {
    case 0x89:
      return bytes.subarray(-pngEnd.length).equals(pngEnd)
    case 0xff:
      return bytes.at(-2) === 0xff && bytes.at(-1) === 0xd9
    case 0x47:
      return bytes.at(-1) === 0x3b
    case 0x52:
      return bytes.readUInt32LE(4) + 8 <= bytes.length
    default:
      return false
  }
}

/**
 * Fails as `decodeImage` does for what is no picture, is cut off, or has too many pixels. Decodes only what its first and last bytes
 * leave in doubt: damage between them is not found.
 *
 * @example yield* checkImage(bytes, { name: "image of row 3" })
 */
export const checkImage = Effect.fnUntraced(function* (
  source: string | Uint8Array,
  options: DecodeImageOptions = {}
): Effect.fn.Return<void, DecodeImageError> {
  const file = typeof source === "string" ? source : (options.name ?? "image bytes")
  const read = typeof source === "string" ? yield* readBytes(source) : source
  const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength)
  const size = sizeOfHeader((position, length) => bytes.subarray(position, position + length))
  if (size === undefined || !endsWhole(bytes)) {
    yield* decodeImage(bytes, { ...options, name: file })
    return
  }
  const maxPixels = options.maxPixels ?? defaultMaxPixels
  if (size.width * size.height > maxPixels) return yield* new ImageTooLarge({ file, ...size, maxPixels })
})
