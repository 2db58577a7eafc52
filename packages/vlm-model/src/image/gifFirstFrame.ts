/** The first frame of a GIF with every pixel's palette colour, transparent ones included, as Pillow decodes it. */
import type { RgbImage } from "./RgbImage.ts"

/** Whether a file begins as a GIF does, and has its header. */
export const isGif = (bytes: Uint8Array): boolean =>
  bytes.length >= 13 && /^GIF8[79]a$/.test(String.fromCharCode(...bytes.subarray(0, 6)))

/** The size of a GIF's canvas. The bytes must be those of a GIF. */
export const gifSize = (bytes: Uint8Array): { readonly width: number; readonly height: number } => ({
  width: u16(bytes, 6),
  height: u16(bytes, 8)
})

/** Undefined where the file breaks the format; with `partial`, what there is of pixels that end early. */
export const gifFirstFrame = (bytes: Uint8Array, partial = false): RgbImage | undefined => {
  if (bytes.length < 13) return undefined
  const { width, height } = gifSize(bytes)
  const screenFlags = bytes[10]!
  let at = 13
  const globalPalette = at
  if (screenFlags & 0x80) at += paletteBytes(screenFlags)

  let transparent: number | undefined
  while (bytes[at] === 0x21) {
    // A graphic control extension says which index is transparent.
    if (bytes[at + 1] === 0xf9 && bytes[at + 3]! & 1) transparent = bytes[at + 6]
    at += 2
    while (bytes[at]! > 0) at += bytes[at]! + 1
    at++
  }
  if (bytes[at] !== 0x2c) return undefined
  const frame = {
    left: u16(bytes, at + 1),
    top: u16(bytes, at + 3),
    width: u16(bytes, at + 5),
    height: u16(bytes, at + 7)
  }
  if (frame.left + frame.width > width || frame.top + frame.height > height) return undefined
  const flags = bytes[at + 9]!
  at += 10
  const palette = flags & 0x80 ? at : globalPalette
  if (flags & 0x80) at += paletteBytes(flags)
  else if (!(screenFlags & 0x80)) return undefined
  const colours = paletteBytes(flags & 0x80 ? flags : screenFlags) / 3

  const unpacked = lzw(bytes, at, frame.width * frame.height)
  if (unpacked === undefined || (unpacked.written < frame.width * frame.height && !partial)) return undefined
  const { indices, written } = unpacked
  const data = new Uint8Array(width * height * 3)
  const paint = (x: number, y: number, index: number) => {
    if (index >= colours) return
    for (let channel = 0; channel < 3; channel++)
      data[(y * width + x) * 3 + channel] = bytes[palette + index * 3 + channel]!
  }
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) paint(x, y, transparent ?? 0)
  const rows = flags & 0x40 ? interlaced(frame.height) : Array.from({ length: frame.height }, (_, y) => y)
  for (const [n, y] of rows.entries()) {
    const shown = Math.min(frame.width, written - n * frame.width)
    for (let x = 0; x < shown; x++) paint(frame.left + x, frame.top + y, indices[n * frame.width + x]!)
  }
  return { width, height, data }
}

const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8)
const paletteBytes = (flags: number): number => 3 * 2 ** ((flags & 7) + 1)

/** The order in which the rows of an interlaced image are stored. */
const interlaced = (height: number): ReadonlyArray<number> => {
  const rows: Array<number> = []
  for (const [first, step] of [
    [0, 8],
    [4, 8],
    [2, 4],
    [1, 2]
  ] as const) {
    for (let y = first; y < height; y += step) rows.push(y)
  }
  return rows
}

/** Decodes `count` palette indices, or as many as there are, from data sub-blocks; an impossible code ends them. */
const lzw = (
  bytes: Uint8Array,
  at: number,
  count: number
): { readonly indices: Uint8Array; readonly written: number } | undefined => {
  const rootBits = bytes[at]!
  if (!(rootBits >= 1 && rootBits <= 11)) return undefined
  const clear = 1 << rootBits
  const prefix = new Int16Array(4096)
  const suffix = new Uint8Array(4096)
  const lengths = new Uint16Array(4096).fill(1, 0, clear)
  for (let code = 0; code < clear; code++) suffix[code] = code
  const out = new Uint8Array(count)
  let written = 0
  let [next, bits, previous, first] = [clear + 2, rootBits + 1, -1, 0]
  for (const code of codes(bytes, at + 1, () => bits)) {
    if (code === clear + 1 || written >= count) break
    if (code === clear) {
      ;[next, bits, previous] = [clear + 2, rootBits + 1, -1]
      continue
    }
    if (code > next || (code === next && previous < 0)) break
    if (previous >= 0 && next < 4096) {
      prefix[next] = previous
      lengths[next] = lengths[previous]! + 1
      suffix[next] = code === next ? first : firstOf(code, prefix, suffix, clear)
      next++
      if (next === 1 << bits && bits < 12) bits++
    }
    // Written from its end, since a code knows only its last index and the code before.
    let walk = code
    for (let to = written + lengths[code]! - 1; to >= written; to--) {
      if (to < count) out[to] = suffix[walk]!
      if (to > written) walk = prefix[walk]!
    }
    first = suffix[walk]!
    written += lengths[code]!
    previous = code
  }
  return { indices: out, written: Math.min(written, count) }
}

const firstOf = (code: number, prefix: Int16Array, suffix: Uint8Array, clear: number): number => {
  while (code >= clear) code = prefix[code]!
  return suffix[code]!
}

/** Codes of a changing number of bits, least significant bit first, through the sub-blocks. */
function* codes(bytes: Uint8Array, at: number, width: () => number): Generator<number> {
  let buffer = 0
  let held = 0
  for (let size = bytes[at++]!; size > 0 && at + size < bytes.length; size = bytes[at++]!) {
    for (let end = at + size; at < end; at++) {
      buffer |= bytes[at]! << held
      held += 8
      while (held >= width()) {
        const bits = width()
        yield buffer & ((1 << bits) - 1)
        buffer >>>= bits
        held -= bits
      }
    }
  }
}
