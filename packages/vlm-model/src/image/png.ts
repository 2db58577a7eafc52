/** PNG: what its chunks hold, and the pixels of rows that were inflated. Palettes are expanded, alpha is dropped. */
import type { RgbImage } from "./RgbImage.ts"

interface Header {
  readonly width: number
  readonly height: number
  readonly depth: number
  /** 0 grey, 2 colour, 3 palette, 4 grey with alpha, 6 colour with alpha. */
  readonly colour: number
  readonly interlaced: boolean
}

const signatureBytes = 8
const channelsOf: { readonly [colour: number]: number } = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }

/** What a PNG is made of before its pixels are inflated. */
interface PngParts {
  readonly header: Header
  readonly palette: Uint8Array | undefined
  /** Pieces of one zlib stream. */
  readonly data: readonly Uint8Array[]
}

/**
 * Reads the chunks; `isWhole` is asked whether type and content of header and palette have their checksum. Undefined where not even these
 * or the first pixel data are whole.
 */
export const readPng = (
  bytes: Uint8Array,
  isWhole: (typeAndContent: Uint8Array, checksum: number) => boolean = () => true
): PngParts | undefined => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let header: Header | undefined
  let palette: Uint8Array | undefined
  const data: Array<Uint8Array> = []
  for (let at = signatureBytes; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at)
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    const content = bytes.subarray(at + 8, at + 8 + length)
    if (type === "IDAT") data.push(content)
    else if (data.length > 0) break
    else if (type === "IHDR" || type === "PLTE") {
      const end = at + 8 + length
      if (end + 4 > bytes.length || !isWhole(bytes.subarray(at + 4, end), view.getUint32(end))) return undefined
      if (type === "PLTE") palette = content
      else header = headerOf(content)
    }
    at += length + 12
  }
  return header === undefined || data.length === 0 ? undefined : { header, palette, data }
}

const headerOf = (content: Uint8Array): Header => {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  return {
    width: view.getUint32(0),
    height: view.getUint32(4),
    depth: content[8]!,
    colour: content[9]!,
    interlaced: content[12] === 1
  }
}

/** Where a pass of an interlaced image begins, and its steps: x, y, step of x, step of y. */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2]
] as const

/** Whole rows up to where the data end or break; the rest has index or value 0. Undefined where there is no such kind of PNG. */
export const pngPixels = ({ header, palette }: PngParts, inflated: Uint8Array): RgbImage | undefined => {
  const { width, height, depth, colour, interlaced } = header
  const channels = channelsOf[colour]
  if (channels === undefined || (colour === 3 && palette === undefined)) return undefined
  const data = new Uint8Array(width * height * 3)
  const write = pixelWriter(header, palette, data)
  const nothing = new Uint8Array(channels * 2)
  for (let pixel = 0; pixel < width * height; pixel++) write(nothing, 0, pixel)

  const pixelBytes = Math.max(1, (channels * depth) >> 3)
  let at = 0
  for (const [x0, y0, stepX, stepY] of interlaced ? adam7 : [[0, 0, 1, 1] as const]) {
    const columns = Math.ceil((width - x0) / stepX)
    if (columns <= 0) continue
    const rowBytes = Math.ceil((columns * channels * depth) / 8)
    let previous = new Uint8Array(rowBytes)
    for (let y = y0; y < height; y += stepY) {
      if (at + 1 + rowBytes > inflated.length) return { width, height, data }
      const row = inflated.slice(at + 1, at + 1 + rowBytes)
      if (!unfilter(inflated[at]!, row, previous, pixelBytes)) return { width, height, data }
      for (let column = 0; column < columns; column++) write(row, column, y * width + x0 + column * stepX)
      previous = row
      at += 1 + rowBytes
    }
  }
  return { width, height, data }
}

/** Undoes a row's filter in place; false for a filter that does not exist. */
const unfilter = (filter: number, row: Uint8Array, above: Uint8Array, pixelBytes: number): boolean => {
  if (filter > 4) return false
  for (let i = 0; i < row.length; i++) {
    const left = i < pixelBytes ? 0 : row[i - pixelBytes]!
    const up = above[i]!
    const corner = i < pixelBytes ? 0 : above[i - pixelBytes]!
    row[i]! +=
      filter === 1
        ? left
        : filter === 2
          ? up
          : filter === 3
            ? (left + up) >> 1
            : filter === 4
              ? paeth(left, up, corner)
              : 0
  }
  return true
}

const paeth = (left: number, up: number, corner: number): number => {
  const [toLeft, toUp, toCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)]
  return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner
}

/** Writes the pixel at `column` of an unfiltered row to pixel `to` of the image. */
const pixelWriter = (
  { depth, colour }: Header,
  palette: Uint8Array | undefined,
  data: Uint8Array
): ((row: Uint8Array, column: number, to: number) => void) => {
  const sampleBytes = depth >> 3
  if (palette !== undefined && colour === 3) {
    return (row, column, to) =>
      data.set(palette.subarray(3 * sampleOf(row, column, depth), 3 * sampleOf(row, column, depth) + 3), 3 * to)
  }
  if (colour === 2 || colour === 6) {
    const stride = channelsOf[colour]! * sampleBytes
    return (row, column, to) => {
      // Of 16 bits the high byte, which comes first.
      for (let channel = 0; channel < 3; channel++)
        data[3 * to + channel] = row[column * stride + channel * sampleBytes]!
    }
  }
  if (depth === 16) {
    // Grey alone is clipped, grey with alpha keeps its high byte: both as Pillow has it.
    return colour === 0
      ? (row, column, to) => data.fill(row[2 * column]! > 0 ? 255 : row[2 * column + 1]!, 3 * to, 3 * to + 3)
      : (row, column, to) => data.fill(row[4 * column]!, 3 * to, 3 * to + 3)
  }
  const scale = 255 / (2 ** depth - 1)
  return colour === 0
    ? (row, column, to) => data.fill(sampleOf(row, column, depth) * scale, 3 * to, 3 * to + 3)
    : (row, column, to) => data.fill(row[2 * column]!, 3 * to, 3 * to + 3)
}

/** A sample of 1, 2, 4 or 8 bits. */
const sampleOf = (row: Uint8Array, column: number, depth: number): number => {
  if (depth === 8) return row[column]!
  const perByte = 8 / depth
  return (row[Math.floor(column / perByte)]! >> (8 - depth * ((column % perByte) + 1))) & ((1 << depth) - 1)
}
