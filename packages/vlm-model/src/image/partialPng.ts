/**
 * What can be decoded of a damaged PNG, as Pillow does with LOAD_TRUNCATED_IMAGES: whole rows up to where the data end or
 * break; the rest has index or value 0. Checksums of pixel data are not looked at.
 */
import { constants, crc32, inflateSync } from "node:zlib"
import { pngPixels, readPng } from "./png.ts"
import type { RgbImage } from "./RgbImage.ts"

/** Undefined where not even the header, the palette or the first pixel data are whole. */
export const partialPng = (bytes: Uint8Array): RgbImage | undefined => {
  const parts = readPng(bytes, (chunk, checksum) => crc32(chunk) === checksum)
  return parts && pngPixels(parts, inflateWhatIsThere(Buffer.concat(parts.data)))
}

/** Inflates data that may end early; of data that break somewhere, what is before the break. */
const inflateWhatIsThere = (data: Buffer): Uint8Array => {
  const inflated = (length: number): Uint8Array | undefined => {
    try {
      return inflateSync(data.subarray(0, length), { finishFlush: constants.Z_SYNC_FLUSH })
    } catch {
      return undefined
    }
  }
  let best = inflated(data.length)
  if (best !== undefined) return best
  // The longest beginning that inflates: beginnings of a good one are good.
  let [good, bad] = [0, data.length]
  while (good + 1 < bad) {
    const middle = (good + bad) >> 1
    const tried = inflated(middle)
    if (tried === undefined) bad = middle
    else [good, best] = [middle, tried]
  }
  return best ?? new Uint8Array(0)
}
