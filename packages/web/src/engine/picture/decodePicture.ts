/**
 * Pictures as a browser decodes them. PNG, whose pixels are exact, is decoded here, since a canvas cannot hold colours that are
 * transparent: those get the bytes that `speedq chat` gives them. Others are turned as their EXIF says, as every page shows them.
 */
import { defaultMaxPixels, pngPixels, type RgbImage, readPng } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { PictureTooLarge, PictureUnreadable } from "../Errors.ts"

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

const inflate = async (pieces: readonly Uint8Array[]): Promise<Uint8Array> => {
  const stream = new Blob(pieces as Uint8Array<ArrayBuffer>[]).stream().pipeThrough(new DecompressionStream("deflate"))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Raises PictureTooLarge. */
const checkSize = (name: string, width: number, height: number): void => {
  if (width * height > defaultMaxPixels) throw new PictureTooLarge({ name, width, height, limit: defaultMaxPixels })
}

const decodePng = async (name: string, bytes: Uint8Array): Promise<RgbImage> => {
  const parts = readPng(bytes)
  if (parts === undefined) throw new Error("the PNG is damaged")
  const { width, height } = parts.header
  checkSize(name, width, height)
  const pixels = pngPixels(parts, await inflate(parts.data))
  if (pixels === undefined) throw new Error("the PNG is of no known kind")
  return pixels
}

const decodeByBrowser = async (name: string, blob: Blob): Promise<RgbImage> => {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" })
  const { width, height } = bitmap
  checkSize(name, width, height)
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })
  if (context === null) throw new Error("the browser has no canvas of this size")
  context.drawImage(bitmap, 0, 0)
  bitmap.close()
  const rgba = context.getImageData(0, 0, width, height).data
  const data = new Uint8Array(3 * width * height)
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from]!
    data[to + 1] = rgba[from + 1]!
    data[to + 2] = rgba[from + 2]!
  }
  return { width, height, data }
}

export const decodePicture = (name: string, blob: Blob): Effect.Effect<RgbImage, PictureTooLarge | PictureUnreadable> =>
  Effect.tryPromise({
    try: async () => {
      const head = new Uint8Array(await blob.slice(0, signature.length).arrayBuffer())
      const isPng = signature.every((byte, at) => head[at] === byte)
      return isPng ? await decodePng(name, new Uint8Array(await blob.arrayBuffer())) : await decodeByBrowser(name, blob)
    },
    catch: (error) => {
      if (error instanceof PictureTooLarge) return error
      const reason = error instanceof Error ? error.message : String(error)
      return new PictureUnreadable({ name, reason: `it cannot be read as a picture: ${reason}` })
    }
  })
