/** What pictures are drawn of: shapes and colours, painted by how much of each pixel is covered. */
import type { RgbImage } from "@speedq/vlm-model"
import { type Glyph, glyphRows } from "./glyphs.ts"

export type Rgb = readonly [number, number, number]

export const paint = {
  red: [214, 38, 38],
  green: [36, 158, 62],
  blue: [38, 84, 214],
  yellow: [236, 206, 36],
  purple: [146, 50, 178],
  orange: [242, 128, 24]
} as const satisfies Record<string, Rgb>
export const ink: Rgb = [40, 40, 48]

/** Samples per pixel and axis that decide how much of it a shape covers. */
const samples = 4

const starCorners = Array.from({ length: 10 }, (_, i) => {
  const angle = (Math.PI * i) / 5
  const reach = i % 2 === 0 ? 1.05 : 0.45
  return { x: reach * Math.sin(angle), y: -reach * Math.cos(angle) }
})

/** Even-odd rule: how many edges a ray to the right crosses. */
const inStar = (x: number, y: number): boolean => {
  let inside = false
  for (const [i, a] of starCorners.entries()) {
    const b = starCorners[(i + 9) % 10]!
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) inside = !inside
  }
  return inside
}

/** Whether a point is inside a shape of radius 1 around the origin, y downwards. */
const inside = {
  circle: (x, y) => x * x + y * y <= 1,
  ring: (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.3,
  square: (x, y) => Math.abs(x) <= 0.86 && Math.abs(y) <= 0.86,
  triangle: (x, y) => y <= 0.82 && y >= -0.98 && Math.abs(x) <= 0.55 * (y + 0.98),
  cross: (x, y) => (Math.abs(x) <= 0.32 && Math.abs(y) <= 1) || (Math.abs(y) <= 0.32 && Math.abs(x) <= 1),
  star: inStar,
  diamond: (x, y) => 1.6 * Math.abs(x) + Math.abs(y) <= 1,
  bar: (x, y) => Math.abs(x) <= 1 && Math.abs(y) <= 0.36
} as const satisfies Record<string, (x: number, y: number) => boolean>

/** Coverage of each pixel of a square, 0..1, row-major. */
export interface Mask {
  readonly size: number
  readonly coverage: Float64Array
}

/** A shape in the middle of a square of `size` pixels. */
export const shapeMask = (shape: keyof typeof inside, size: number, radius: number): Mask => {
  const coverage = new Float64Array(size * size)
  const test = inside[shape]
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let hits = 0
      for (let sy = 0; sy < samples; sy++) {
        for (let sx = 0; sx < samples; sx++) {
          const px = x + (sx + 0.5) / samples - size / 2
          const py = y + (sy + 0.5) / samples - size / 2
          if (test(px / radius, py / radius)) hits++
        }
      }
      coverage[y * size + x] = hits / (samples * samples)
    }
  }
  return { size, coverage }
}

/** A glyph in the middle of a square of `size` pixels, `dot` pixels a dot. */
export const glyphMask = (glyph: Glyph, size: number, dot: number): Mask => {
  const coverage = new Float64Array(size * size)
  const rows = glyphRows(glyph)
  const left = Math.floor((size - dot * rows[0]!.length) / 2)
  const top = Math.floor((size - dot * rows.length) / 2)
  for (let y = 0; y < dot * rows.length; y++) {
    for (let x = 0; x < dot * rows[0]!.length; x++) {
      if (rows[Math.floor(y / dot)]![Math.floor(x / dot)] === "#") coverage[(top + y) * size + left + x] = 1
    }
  }
  return { size, coverage }
}

const clampByte = (value: number): number => Math.max(0, Math.min(255, Math.round(value)))

/** Paints a mask whose upper left corner is at (left, top). What it covers must be inside the picture. */
export const paintMask = (
  { data, width }: RgbImage,
  { size, coverage }: Mask,
  at: { readonly left: number; readonly top: number },
  color: Rgb,
  brightness: number
): void => {
  for (let i = 0; i < coverage.length; i++) {
    const covered = coverage[i]!
    if (covered === 0) continue
    const pixel = ((at.top + Math.floor(i / size)) * width + at.left + (i % size)) * 3
    for (let c = 0; c < 3; c++)
      data[pixel + c] = clampByte(data[pixel + c]! * (1 - covered) + (color[c]! + brightness) * covered)
  }
}

/** A picture of one colour. */
export const plainImage = (width: number, height: number, color: Rgb): RgbImage => {
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < data.length; i++) data[i] = color[i % 3]!
  return { width, height, data }
}
