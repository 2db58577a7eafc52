/**
 * Decodes PNG, JPEG, WebP and GIF to the bytes that Pillow's `open(...).convert("RGB")` gives: no EXIF rotation, no
 * colour profile, alpha dropped (not blended), palettes expanded.
 */
import type { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { Sharp } from "sharp"
import { type ImageCodecMissing, ImageInvalid, ImageTooLarge } from "../Errors.ts"
import { readBytes } from "../internal/files.ts"
import { gifFirstFrame, gifSize } from "./gifFirstFrame.ts"
import { loadSharp } from "./loadSharp.ts"
import type { RgbImage } from "./RgbImage.ts"

export type DecodeImageError = FileFailed | ImageCodecMissing | ImageInvalid | ImageTooLarge

export interface DecodeImageOptions {
  /** Images with more pixels are refused before they are decoded. Default 178,956,970. */
  readonly maxPixels?: number | undefined
  /** Which image of an animated one, from 0. */
  readonly page?: number
  /** What errors call an image given as bytes. */
  readonly name?: string
}

/** What an image's header says. */
export interface ImageHeader {
  readonly file: string
  readonly bytes: Uint8Array
  readonly width: number
  readonly height: number
  readonly pages: number
  /** Milliseconds that each page is shown, of an animated image. */
  readonly delays: ReadonlyArray<number>
  readonly format: "png" | "jpeg" | "webp" | "gif"
  readonly layout: "rgb" | "cmyk" | "grey16"
}

/** Pillow refuses images with more. */
export const defaultMaxPixels = 178_956_970
const formats = ["png", "jpeg", "webp", "gif"] as const

/** Reads the header of an image file, or of its bytes, without decoding pixels. */
export const readImageHeader = Effect.fnUntraced(function* (
  source: string | Uint8Array,
  options: DecodeImageOptions = {}
): Effect.fn.Return<ImageHeader, DecodeImageError> {
  const file = typeof source === "string" ? source : (options.name ?? "image bytes")
  const bytes = typeof source === "string" ? yield* readBytes(source) : source
  const sharp = yield* loadSharp
  const metadata = yield* decoding(file, () => sharp(bytes, { limitInputPixels: false }).metadata())
  const format = formats.find((name) => name === metadata.format)
  if (format === undefined) {
    const reason = `the format ${metadata.format} is not supported; convert it to ${formats.join(", ")}`
    return yield* new ImageInvalid({ file, reason })
  }
  // sharp corrects a GIF's size when it is absurd; Pillow, and gifFirstFrame, go by what is written.
  const { width, height } = format === "gif" ? gifSize(bytes) : metadata
  const maxPixels = options.maxPixels ?? defaultMaxPixels
  if (width * height > maxPixels) return yield* new ImageTooLarge({ file, width, height, maxPixels })
  const layout =
    metadata.space === "cmyk" ? "cmyk" : metadata.space === "grey16" && !metadata.hasAlpha ? "grey16" : "rgb"
  return { file, bytes, width, height, pages: metadata.pages ?? 1, delays: metadata.delay ?? [], format, layout }
})

/** Decodes an image file, or its bytes. */
export const decodeImage = Effect.fnUntraced(function* (
  source: string | Uint8Array,
  options: DecodeImageOptions = {}
): Effect.fn.Return<RgbImage, DecodeImageError> {
  return yield* decodePage(yield* readImageHeader(source, options), options.page ?? 0)
})

/** Decodes one page of an image whose header was read. */
export const decodePage = Effect.fnUntraced(function* (
  header: ImageHeader,
  page: number
): Effect.fn.Return<RgbImage, ImageCodecMissing | ImageInvalid> {
  const { file, bytes, width, height } = header
  if (header.format === "gif" && page === 0) {
    // sharp leaves black where a frame is transparent or absent; Pillow shows the palette's colour.
    const frame = gifFirstFrame(bytes)
    return frame ?? (yield* new ImageInvalid({ file, reason: "damaged GIF: its first frame cannot be decoded" }))
  }
  const sharp = yield* loadSharp
  const paged = header.pages > 1 ? { page, pages: 1 } : {}
  const input = () => sharp(bytes, { limitInputPixels: false, failOn: "error", ignoreIcc: true, ...paged })
  const raw = yield* decoding(file, () => inLayout(input(), header.layout).toBuffer({ resolveWithObject: true }))
  if (raw.info.width !== width || raw.info.height !== height) {
    const reason = `the header says ${width} x ${height} pixels, but the image has ${raw.info.width} x ${raw.info.height}`
    return yield* new ImageInvalid({ file, reason })
  }
  return { width, height, data: toRgb[header.layout](raw.data, raw.info.channels) }
})

const inLayout = (image: Sharp, layout: ImageHeader["layout"]): Sharp => {
  if (layout === "cmyk") return image.pipelineColourspace("cmyk").toColourspace("cmyk").raw()
  if (layout === "grey16") return image.toColourspace("grey16").raw({ depth: "ushort" })
  return image.raw()
}

type ToRgb = (raw: Buffer, channels: number) => Uint8Array

const toRgb: Readonly<Record<ImageHeader["layout"], ToRgb>> = {
  rgb: (raw, channels) => {
    if (channels === 3) return new Uint8Array(raw.buffer, raw.byteOffset, raw.length)
    const data = new Uint8Array((raw.length / channels) * 3)
    for (let to = 0, from = 0; to < data.length; to += 3, from += channels) {
      data[to] = raw[from]!
      data[to + 1] = raw[from + (channels < 3 ? 0 : 1)]!
      data[to + 2] = raw[from + (channels < 3 ? 0 : 2)]!
    }
    return data
  },
  // Pillow multiplies in 8 bits, c * (255 - k) / 255 rounded, and knows no profile.
  cmyk: (raw) => {
    const data = new Uint8Array((raw.length / 4) * 3)
    for (let to = 0, from = 0; to < data.length; to += 3, from += 4) {
      const light = 255 - raw[from + 3]!
      for (let channel = 0; channel < 3; channel++) {
        const product = raw[from + channel]! * light + 128
        data[to + channel] = light - ((product + (product >> 8)) >> 8)
      }
    }
    return data
  },
  // Pillow clips 16-bit grey to 255 instead of scaling it.
  grey16: (raw, channels) => {
    const values = new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2)
    const data = new Uint8Array((values.length / channels) * 3)
    for (let to = 0, from = 0; to < data.length; to += 3, from += channels) {
      data.fill(Math.min(255, values[from]!), to, to + 3)
    }
    return data
  }
}

// The decoder's messages can have several lines; the first says what is wrong.
const decoding = <A>(file: string, call: () => Promise<A>): Effect.Effect<A, ImageInvalid> =>
  Effect.tryPromise({
    try: call,
    catch: (error) => {
      const said = error instanceof Error ? error.message : String(error)
      return new ImageInvalid({ file, reason: `not an image that can be read: ${said.trim().split("\n")[0]}` })
    }
  })
