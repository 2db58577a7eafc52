/**
 * Decodes PNG, JPEG, WebP, GIF, BMP and TIFF to the bytes that Pillow's `open(...).convert("RGB")` gives: no EXIF rotation,
 * no colour profile, alpha dropped (not blended), palettes expanded.
 */
import { type FileFailed, readBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { Metadata, Sharp } from "sharp"
import { type ImageCodecMissing, ImageInvalid, ImageTooLarge } from "../Errors.ts"
import { type BmpLayout, decodeBmp, isBmp, readBmpLayout } from "./bmp.ts"
import { gifFirstFrame, gifSize, isGif } from "./gifFirstFrame.ts"
import { loadSharp } from "./loadSharp.ts"
import { defaultMaxPixels } from "./maxPixels.ts"
import { partialPng } from "./partialPng.ts"
import { formatNames, pictureFormat } from "./pictureFormat.ts"
import type { RgbImage } from "./RgbImage.ts"

export type DecodeImageError = FileFailed | ImageCodecMissing | ImageInvalid | ImageTooLarge

/**
 * What becomes of a file whose pixels are cut off or damaged: `reject` refuses it, the default; `load` keeps what can be
 * decoded of a JPEG, PNG, GIF or BMP, the rest as Pillow fills it with LOAD_TRUNCATED_IMAGES (black, or a JPEG's grey).
 */
export type Truncated = "load" | "reject"

/** Which pictures are read. */
export interface PictureLimits {
  /** Images, and videos, with more pixels are refused before they are decoded. Default 178,956,970; Infinity refuses none. */
  readonly maxPixels?: number | undefined
  readonly truncated?: Truncated | undefined
}

export interface DecodeImageOptions extends PictureLimits {
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
  readonly format: "png" | "jpeg" | "webp" | "gif" | "bmp" | "tiff"
  readonly layout: "rgb" | "cmyk" | "grey16"
  /** Of a TIFF whose first row is not at the top: Pillow turns it. Other formats stay as they are stored. */
  readonly turned: boolean
  /** Of a BMP, which is decoded here. */
  readonly bmp?: BmpLayout
  readonly truncated: Truncated
}

const formats = ["png", "jpeg", "webp", "gif", "tiff"] as const
/** Colours as sharp names them; a TIFF can have others. */
const spaces: ReadonlyArray<string> = ["srgb", "rgb16", "b-w", "grey16", "cmyk"]

/** Reads the header of an image file, or of its bytes, without decoding pixels. */
export const readImageHeader = Effect.fnUntraced(function* (
  source: string | Uint8Array,
  options: DecodeImageOptions = {}
): Effect.fn.Return<ImageHeader, DecodeImageError> {
  const file = typeof source === "string" ? source : (options.name ?? "image bytes")
  const bytes = typeof source === "string" ? yield* readBytes(source) : source
  const { maxPixels = defaultMaxPixels, truncated = "reject" } = options
  if (pictureFormat(bytes) === undefined) {
    const reason = `not an image that can be read: it does not begin as one does; convert it to ${formatNames}`
    return yield* new ImageInvalid({ file, reason })
  }
  const found = yield* isBmp(bytes) ? bmpHeader(file, bytes) : codecHeader(file, bytes, truncated)
  const { width, height } = found
  if (width * height > maxPixels) return yield* new ImageTooLarge({ file, width, height, maxPixels })
  return { file, bytes, truncated, ...found }
})

type FoundHeader = Omit<ImageHeader, "file" | "bytes" | "truncated">

const bmpHeader = (file: string, bytes: Uint8Array): Effect.Effect<FoundHeader, ImageInvalid> => {
  const bmp = readBmpLayout(bytes)
  if (typeof bmp === "string") return Effect.fail(new ImageInvalid({ file, reason: bmp }))
  const { width, height } = bmp
  return Effect.succeed({ width, height, pages: 1, delays: [], format: "bmp", layout: "rgb", turned: false, bmp })
}

const codecHeader = Effect.fnUntraced(function* (
  file: string,
  bytes: Uint8Array,
  truncated: Truncated
): Effect.fn.Return<FoundHeader, ImageCodecMissing | ImageInvalid> {
  const sharp = yield* loadSharp
  const failOn = truncated === "load" ? "none" : "warning"
  const reading = decoding(file, () => sharp(bytes, { limitInputPixels: false, failOn }).metadata())
  const metadata = yield* truncated === "load" && isGif(bytes)
    ? Effect.orElseSucceed(reading, () => undefined)
    : reading
  if (metadata === undefined) {
    // sharp looks for the end of a GIF; its first frame needs none.
    return { ...gifSize(bytes), pages: 1, delays: [], format: "gif", layout: "rgb", turned: false }
  }
  const format = formats.find((name) => name === metadata.format)
  if (format === undefined) {
    return yield* new ImageInvalid({
      file,
      reason: `the format ${metadata.format} is not supported; convert it to ${formatNames}`
    })
  }
  if (!["uchar", "ushort"].includes(metadata.depth)) {
    const reason = `samples of type ${metadata.depth} are not supported; convert it to 8 or 16 bits`
    return yield* new ImageInvalid({ file, reason })
  }
  if (!spaces.includes(metadata.space)) {
    return yield* new ImageInvalid({
      file,
      reason: `colours of kind ${metadata.space} are not supported; convert it to RGB`
    })
  }
  const turned = format === "tiff" && (metadata.orientation ?? 1) > 1
  const shown = turned && metadata.orientation! > 4 ? { width: metadata.height, height: metadata.width } : metadata
  // sharp corrects a GIF's size when it is absurd; Pillow, and gifFirstFrame, go by what is written.
  const { width, height } = format === "gif" ? gifSize(bytes) : shown
  const { pages = 1, delay: delays = [] } = metadata
  return { width, height, pages, delays, format, layout: layoutOf(metadata, bytes), turned }
})

const layoutOf = ({ space, format, hasAlpha }: Metadata, bytes: Uint8Array): ImageHeader["layout"] => {
  if (space === "cmyk") return "cmyk"
  if (space !== "grey16") return "rgb"
  // A PNG's transparent grey (tRNS) counts as alpha, but is no second channel. The type of its pixels is byte 25: 0 is grey.
  return !hasAlpha || (format === "png" && bytes[25] === 0) ? "grey16" : "rgb"
}

/** Decodes an image file, or its bytes. */
export const decodeImage = Effect.fnUntraced(function* (
  source: string | Uint8Array,
  options: DecodeImageOptions = {}
): Effect.fn.Return<RgbImage, DecodeImageError> {
  return yield* decodePage(yield* readImageHeader(source, options), options.page ?? 0)
})

/** Decodes one page of an image whose header was read. */
export const decodePage = (
  header: ImageHeader,
  page: number
): Effect.Effect<RgbImage, ImageCodecMissing | ImageInvalid> => {
  const { bytes, bmp } = header
  const partial = header.truncated === "load"
  if (bmp !== undefined) return decodeHere(header, () => decodeBmp(bytes, bmp, partial))
  if (header.format === "gif" && page === 0) {
    // sharp leaves black where a frame is transparent or absent; Pillow shows the palette's colour.
    const damaged = "damaged GIF: its first frame cannot be decoded"
    return decodeHere(header, () => gifFirstFrame(bytes, partial) ?? damaged)
  }
  const whole = decodeByCodec(header, page, "error")
  return partial ? Effect.catchTag(whole, "ImageInvalid", (error) => partOf(header, page, error)) : whole
}

/** Runs a decoder of ours: a string is what is wrong. A header can ask for more memory than there is. */
const decodeHere = (
  { file, width, height }: ImageHeader,
  decode: () => RgbImage | string
): Effect.Effect<RgbImage, ImageInvalid> =>
  Effect.suspend(() => {
    try {
      const decoded = decode()
      return typeof decoded === "string"
        ? Effect.fail(new ImageInvalid({ file, reason: decoded }))
        : Effect.succeed(decoded)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return Effect.fail(new ImageInvalid({ file, reason: `${width} x ${height} pixels do not fit into memory` }))
    }
  })

/** What can be decoded of a damaged image; `error` where that is nothing. */
const partOf = (
  header: ImageHeader,
  page: number,
  error: ImageInvalid
): Effect.Effect<RgbImage, ImageCodecMissing | ImageInvalid> => {
  if (header.format === "jpeg") {
    // libjpeg ends a file that is cut off as Pillow does, and fills what is missing. Cut off between two scans, inside
    // the head of the second, Pillow shows no pixel at all: black, or white where inks are stored.
    const { width, height, layout } = header
    const data = () => new Uint8Array(width * height * 3).fill(layout === "cmyk" ? 255 : 0)
    return Effect.catchTag(decodeByCodec(header, page, "none"), "ImageInvalid", () =>
      decodeHere(header, () => ({ width, height, data: data() }))
    )
  }
  return header.format === "png"
    ? decodeHere(header, () => partialPng(header.bytes) ?? error.reason)
    : Effect.fail(error)
}

const decodeByCodec = Effect.fnUntraced(function* (
  { file, bytes, width, height, pages, layout, turned }: ImageHeader,
  page: number,
  failOn: "error" | "none"
): Effect.fn.Return<RgbImage, ImageCodecMissing | ImageInvalid> {
  const sharp = yield* loadSharp
  const paged = pages > 1 ? { page, pages: 1 } : {}
  const input = () => {
    // Without a limit for warnings too, of which a JPEG with many restarts gives one for each that is missing.
    const unlimited = failOn === "none"
    const opened = sharp(bytes, { limitInputPixels: false, failOn, unlimited, ignoreIcc: true, ...paged })
    return turned ? opened.autoOrient() : opened
  }
  const raw = yield* decoding(file, () => inLayout(input(), layout).toBuffer({ resolveWithObject: true }))
  if (raw.info.width !== width || raw.info.height !== height) {
    const reason = `the header says ${width} x ${height} pixels, but the image has ${raw.info.width} x ${raw.info.height}`
    return yield* new ImageInvalid({ file, reason })
  }
  return { width, height, data: toRgb[layout](raw.data, raw.info.channels) }
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
  cmyk: (raw, channels) => {
    const data = new Uint8Array((raw.length / channels) * 3)
    for (let to = 0, from = 0; to < data.length; to += 3, from += channels) {
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
