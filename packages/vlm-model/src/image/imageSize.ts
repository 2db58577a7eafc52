/** Width and height of an image file by its first bytes, without reading the rest of it: of a mixture with millions of pictures that is most. */
import { closeSync, openSync, readSync } from "node:fs"
import { checkOutsideSync, fileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { ImageTooLarge } from "../Errors.ts"
import { isBmp, readBmpLayout } from "./bmp.ts"
import { type DecodeImageError, type PictureLimits, readImageHeader } from "./decodeImage.ts"
import { gifSize, isGif } from "./gifFirstFrame.ts"
import { defaultMaxPixels } from "./maxPixels.ts"

export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** Bytes [position, position + length) of a file; fewer where it ends. */
type ReadAt = (position: number, length: number) => Buffer

const textAt = (bytes: Buffer, from: number, to: number): string => bytes.toString("latin1", from, to)

const pngSize = (head: Buffer): ImageSize | undefined =>
  head.length >= 24 && textAt(head, 0, 8) === "\x89PNG\r\n\x1a\n" && textAt(head, 12, 16) === "IHDR"
    ? { width: head.readUInt32BE(16), height: head.readUInt32BE(20) }
    : undefined

const gifHeaderSize = (head: Buffer): ImageSize | undefined => (isGif(head) ? gifSize(head) : undefined)

/** The canvas of a WebP: lossy frame, lossless frame, or extended header. */
const webpSize = (head: Buffer): ImageSize | undefined => {
  if (head.length < 30 || textAt(head, 0, 4) !== "RIFF" || textAt(head, 8, 12) !== "WEBP") return undefined
  switch (textAt(head, 12, 16)) {
    case "VP8 ":
      // 14 bits each; the two above scale what is shown.
      return { width: head.readUInt16LE(26) & 0x3fff, height: head.readUInt16LE(28) & 0x3fff }
    case "VP8L": {
      const bits = head.readUInt32LE(21)
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
    }
    case "VP8X":
      return { width: head.readUIntLE(24, 3) + 1, height: head.readUIntLE(27, 3) + 1 }
    default:
      return undefined
  }
}

const bmpSize = (head: Buffer): ImageSize | undefined => {
  const layout = isBmp(head) ? readBmpLayout(head) : undefined
  return typeof layout === "string" ? undefined : layout
}

/** Markers of JPEG that no length follows: TEM, RST0 to RST7, SOI. */
const standsAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)
/** Start of frame: C0 to CF, but not the tables DHT, JPG and DAC. */
const startsFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc

/** Walks from segment to segment, over pictures and profiles in them, to the frame's header. */
const jpegSize = (head: Buffer, readAt: ReadAt): ImageSize | undefined => {
  if (head.length < 4 || head.readUInt16BE(0) !== 0xffd8) return undefined
  let at = 2
  for (;;) {
    const segment = at + 10 <= head.length ? head.subarray(at, at + 10) : readAt(at, 10)
    if (segment.length < 10 || segment[0] !== 0xff) return undefined
    const marker = segment[1]!
    if (marker === 0xff) at++
    else if (standsAlone(marker)) at += 2
    else if (startsFrame(marker)) return { width: segment.readUInt16BE(7), height: segment.readUInt16BE(5) }
    // Pixels begin, or the image ends, without a frame's header.
    else if (marker === 0xda || marker === 0xd9) return undefined
    else at += 2 + Math.max(2, segment.readUInt16BE(2))
  }
}

/** Undefined where the first bytes do not tell: another format, or a damaged file. */
export const sizeOfHeader = (readAt: ReadAt): ImageSize | undefined => {
  const head = readAt(0, 1024)
  const size = pngSize(head) ?? gifHeaderSize(head) ?? webpSize(head) ?? bmpSize(head) ?? jpegSize(head, readAt)
  return size !== undefined && size.width > 0 && size.height > 0 ? size : undefined
}

/** Opens the file for as long as its header is read. Synchronous: it takes a third of the time, on a thread that does nothing else. */
const headerSize = (file: string): Effect.Effect<ImageSize | undefined, DecodeImageError> =>
  Effect.try({
    try: () => {
      checkOutsideSync(file, "read")
      const descriptor = openSync(file, "r")
      try {
        return sizeOfHeader((position, length) => {
          const bytes = Buffer.allocUnsafe(length)
          return bytes.subarray(0, readSync(descriptor, bytes, 0, length, position))
        })
      } finally {
        closeSync(descriptor)
      }
    },
    catch: (error) => fileFailed(file, "read", error)
  })

/**
 * The size that `readImageHeader` gives, for PNG, JPEG, WebP, GIF and BMP from a few bytes; other formats and damaged headers are left to
 * it. Says nothing about the pixels, which may still be damaged.
 *
 * @example const { width, height } = yield* readImageSize("data/images/0001.jpg")
 */
export const readImageSize = Effect.fnUntraced(function* (
  file: string,
  options: PictureLimits = {}
): Effect.fn.Return<ImageSize, DecodeImageError> {
  const size = yield* headerSize(file)
  if (size === undefined) return yield* readImageHeader(file, options)
  const maxPixels = options.maxPixels ?? defaultMaxPixels
  if (size.width * size.height > maxPixels) return yield* new ImageTooLarge({ file, ...size, maxPixels })
  return size
})
