/**
 * Decodes BMP to the bytes that Pillow gives: 1, 4 and 8 bits with a palette, 16, 24 and 32 bits, RLE8, RLE4, bit masks;
 * rows from the bottom up or from the top down. Alpha is dropped.
 */
import type { RgbImage } from "./RgbImage.ts"

/** Where the pixels of a BMP are, and how they are stored. */
export interface BmpLayout {
  readonly width: number
  readonly height: number
  readonly topDown: boolean
  readonly bits: number
  readonly compression: "none" | "rle8" | "rle4"
  /** Byte offset of the pixels. */
  readonly pixels: number
  /** Colours [count, 3]; undefined from 16 bits on. */
  readonly palette: Uint8Array | undefined
  /** Of red, green and blue in a pixel, from 16 bits on. */
  readonly masks: Masks
}

type Masks = readonly [number, number, number]

const fileHeader = 14
const rgb555: Masks = [0x7c00, 0x3e0, 0x1f]
const rgb888: Masks = [0xff0000, 0xff00, 0xff]
/** By the number in the file: 3 says that masks follow, and the pixels are as they are. */
const compressions = ["none", "rle8", "rle4", "none"] as const
/** OS/2 1, Windows 3, its versions with masks, OS/2 2, Windows 4 and 5. */
const headerSizes = [12, 40, 52, 56, 64, 108, 124]

export const isBmp = (bytes: Uint8Array): boolean => bytes[0] === 0x42 && bytes[1] === 0x4d

/** Reads the headers and the palette; a string is what is wrong with them. */
export const readBmpLayout = (bytes: Uint8Array): BmpLayout | string => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const u32 = (at: number) => view.getUint32(at, true)
  const u16 = (at: number) => view.getUint16(at, true)
  if (bytes.length < fileHeader + 4) return "damaged BMP: its header is cut off"
  const size = u32(fileHeader)
  if (!headerSizes.includes(size)) return `a BMP with a header of ${size} bytes is not supported; convert it to png`
  const end = fileHeader + size
  if (bytes.length < end) return "damaged BMP: its header is cut off"

  const short = size === 12
  const width = short ? u16(18) : view.getInt32(18, true)
  const signed = short ? u16(20) : view.getInt32(22, true)
  const bits = u16(short ? 24 : 28)
  const method = short ? 0 : u32(30)
  const compression = size === 64 && method > 2 ? undefined : compressions[method]
  if (width <= 0 || signed === 0) return `damaged BMP: its header says ${width} x ${signed} pixels`
  const known = method === 3 ? [16, 24, 32] : method === 1 ? [8] : method === 2 ? [4] : [1, 4, 8, 16, 24, 32]
  if (compression === undefined || !known.includes(bits)) {
    return `a BMP of ${bits} bits a pixel with compression ${method} is not supported; convert it to png`
  }

  const masksAt = size === 40 || size === 64 ? end : 54
  let masks = bits === 16 ? rgb555 : rgb888
  if (method === 3) {
    if (bytes.length < masksAt + 12) return "damaged BMP: its header is cut off"
    const given: Masks = [u32(masksAt), u32(masksAt + 4), u32(masksAt + 8)]
    // All zero stands for the usual ones.
    if (given.some((mask) => mask !== 0)) masks = given
    const odd = masks.find((mask) => !isRun(mask))
    if (odd !== undefined) return `damaged BMP: the mask 0x${odd.toString(16)} is no run of bits`
  }

  const entryBytes = short ? 3 : 4
  const colours = bits > 8 ? 0 : (short ? 0 : u32(46)) || 1 << bits
  if (colours > 65536) return `damaged BMP: it has a palette of ${colours} colours`
  const paletteBytes = colours * entryBytes
  const palette = bits > 8 ? undefined : paletteOf(bytes, end, colours, entryBytes)
  // Some writers forget the palette when they count where the pixels begin.
  const behind = (method === 3 && masksAt === end ? end + 12 : end) + paletteBytes
  const stated = u32(10)
  const pixels = stated === 0 || (bits <= 8 && stated === end) ? behind : stated
  return { width, height: Math.abs(signed), topDown: signed < 0, bits, compression, pixels, palette, masks }
}

/** One run of set bits: a channel. */
const isRun = (mask: number): boolean => mask > 0 && /^1+0*$/.test(mask.toString(2))

const paletteOf = (bytes: Uint8Array, at: number, colours: number, entryBytes: number): Uint8Array => {
  // Indices beyond the palette, or beyond the end of the file, are black.
  const palette = new Uint8Array(3 * 256)
  for (let index = 0; index < Math.min(colours, 256); index++) {
    for (let channel = 0; channel < 3; channel++) {
      palette[3 * index + channel] = bytes[at + entryBytes * index + 2 - channel] ?? 0
    }
  }
  return palette
}

/** Decodes the pixels. With `partial`, rows that are cut off stay of index or value 0; else a string says so. */
export const decodeBmp = (bytes: Uint8Array, layout: BmpLayout, partial: boolean): RgbImage | string => {
  const { width, height, compression } = layout
  const unpacked = compression === "none" ? storedRows(bytes, layout, partial) : runLengthRows(bytes, layout)
  if (typeof unpacked === "string") return unpacked
  const data = new Uint8Array(width * height * 3)
  for (let row = 0; row < height; row++) {
    const y = layout.topDown ? row : height - 1 - row
    data.set(unpacked(row), y * width * 3)
  }
  return { width, height, data }
}

/** The pixels [width, 3] of a row, in the order of the file; valid until the next call. */
type Rows = (row: number) => Uint8Array

const coloured = (indices: (x: number) => number, width: number, palette: Uint8Array, out: Uint8Array): Uint8Array => {
  for (let x = 0; x < width; x++) {
    const from = 3 * indices(x)
    out[3 * x] = palette[from]!
    out[3 * x + 1] = palette[from + 1]!
    out[3 * x + 2] = palette[from + 2]!
  }
  return out
}

const storedRows = (bytes: Uint8Array, layout: BmpLayout, partial: boolean): Rows | string => {
  const { width, height, bits, pixels, palette, masks } = layout
  const rowBytes = Math.ceil((width * bits) / 8)
  const stride = Math.ceil(rowBytes / 4) * 4
  const whole = Math.max(0, Math.floor((bytes.length - pixels - rowBytes) / stride) + 1)
  if (whole < height && !partial) return `damaged BMP: it ends after ${whole} of ${height} rows`
  const out = new Uint8Array(3 * width)
  const pixel = masked(masks)
  return (row) => {
    const at = pixels + row * stride
    const absent = row >= whole
    if (palette !== undefined) {
      const [perByte, mask] = [8 / bits, (1 << bits) - 1]
      const index = (x: number) =>
        absent ? 0 : (bytes[at + Math.floor(x / perByte)]! >> (8 - bits * ((x % perByte) + 1))) & mask
      return coloured(index, width, palette, out)
    }
    if (absent) return out.fill(0)
    for (let x = 0; x < width; x++) {
      let value = 0
      for (let byte = bits / 8 - 1; byte >= 0; byte--) value = value * 256 + bytes[at + (x * bits) / 8 + byte]!
      for (let channel = 0; channel < 3; channel++) out[3 * x + channel] = pixel(value, channel)
    }
    return out
  }
}

/** A channel of a pixel as 8 bits: cut off, not rounded, where it is stored in another width. */
const masked = (masks: Masks): ((value: number, channel: number) => number) => {
  const channels = masks.map((mask) => {
    const unit = mask & -mask
    const low = unit < 0 ? unit + 2 ** 32 : unit
    return { low, most: mask / low }
  })
  return (value, channel) => {
    const { low, most } = channels[channel]!
    return Math.floor(((Math.floor(value / low) % (most + 1)) * 255) / most)
  }
}

const runLengthRows = (
  bytes: Uint8Array,
  { width, height, compression, pixels, palette }: BmpLayout
): Rows | string => {
  const nibbles = compression === "rle4"
  const indices = new Uint8Array(width * height)
  let [at, written, x] = [pixels, 0, 0]
  const put = (index: number) => {
    if (written < indices.length) indices[written] = index
    written++
  }
  while (written < indices.length && at + 1 < bytes.length) {
    const [count, value] = [bytes[at]!, bytes[at + 1]!]
    at += 2
    if (count > 0) {
      // A run: of one index, or of two in turn. What reaches beyond the row is dropped.
      const kept = Math.min(count, Math.max(0, width - x))
      for (let i = 0; i < kept; i++) put(nibbles ? (i % 2 === 0 ? value >> 4 : value & 15) : value)
      x += kept
    } else if (value === 0) {
      written = Math.ceil(written / width) * width
      x = 0
    } else if (value === 1) break
    else if (value === 2) {
      if (at + 1 >= bytes.length) break
      written += bytes[at]! + bytes[at + 1]! * width
      x = written % width
      at += 2
    } else {
      // Indices one by one, filled up to an even place. Pillow loses the last of an odd number of nibbles; here it is kept.
      const stored = nibbles ? Math.ceil(value / 2) : value
      if (at + stored > bytes.length) break
      for (let i = 0; i < value; i++) {
        const byte = bytes[at + (nibbles ? i >> 1 : i)]!
        put(nibbles ? (i % 2 === 0 ? byte >> 4 : byte & 15) : byte)
      }
      x += value
      at += stored
      at += at % 2
    }
  }
  if (written < indices.length) return `damaged BMP: its runs give ${written} of ${indices.length} pixels`
  const out = new Uint8Array(3 * width)
  return (row) => coloured((i) => indices[row * width + i]!, width, palette!, out)
}
