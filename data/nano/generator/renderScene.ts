/** Draws a scene as 84x84 RGB pixels. A cell is 28x28: the 2x2 patches of 14 that become one visual token. */
import { glyphRows } from "./glyphs.ts"
import type { Cell, Color, Figure, Glyph, Scene, Shape } from "./Scene.ts"

export const imageSize = 84
const cellSize = 28
const dot = 3
/** Samples per pixel and axis that decide how much of it a shape covers. */
const samples = 4

const paint: Record<Color, readonly [number, number, number]> = {
  red: [214, 38, 38],
  green: [36, 158, 62],
  blue: [38, 84, 214],
  yellow: [236, 206, 36],
  purple: [146, 50, 178],
  orange: [242, 128, 24]
}
const ink = [40, 40, 48] as const
const radius = 11.5

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
const inside: Record<Shape, (x: number, y: number) => boolean> = {
  circle: (x, y) => x * x + y * y <= 1,
  ring: (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.3,
  square: (x, y) => Math.abs(x) <= 0.86 && Math.abs(y) <= 0.86,
  triangle: (x, y) => y <= 0.82 && y >= -0.98 && Math.abs(x) <= 0.55 * (y + 0.98),
  cross: (x, y) => (Math.abs(x) <= 0.32 && Math.abs(y) <= 1) || (Math.abs(y) <= 0.32 && Math.abs(x) <= 1),
  star: inStar
}

/** Coverage of each pixel of a cell, 0..1, row-major. */
type Mask = Float64Array

const figureMask = (shape: Shape): Mask => {
  const mask = new Float64Array(cellSize * cellSize)
  const test = inside[shape]
  for (let y = 0; y < cellSize; y++) {
    for (let x = 0; x < cellSize; x++) {
      let hits = 0
      for (let sy = 0; sy < samples; sy++) {
        for (let sx = 0; sx < samples; sx++) {
          const px = x + (sx + 0.5) / samples - cellSize / 2
          const py = y + (sy + 0.5) / samples - cellSize / 2
          if (test(px / radius, py / radius)) hits++
        }
      }
      mask[y * cellSize + x] = hits / (samples * samples)
    }
  }
  return mask
}

const signMask = (glyph: Glyph): Mask => {
  const mask = new Float64Array(cellSize * cellSize)
  const rows = glyphRows(glyph)
  const left = Math.floor((cellSize - dot * rows[0]!.length) / 2)
  const top = Math.floor((cellSize - dot * rows.length) / 2)
  for (let y = 0; y < dot * rows.length; y++) {
    for (let x = 0; x < dot * rows[0]!.length; x++) {
      if (rows[Math.floor(y / dot)]![Math.floor(x / dot)] === "#") mask[(top + y) * cellSize + left + x] = 1
    }
  }
  return mask
}

const masks = new Map<string, Mask>()
const maskOf = (cell: Exclude<Cell, undefined>): Mask => {
  const key = cell.kind === "sign" ? cell.glyph : cell.shape
  let mask = masks.get(key)
  if (mask === undefined) {
    mask = cell.kind === "sign" ? signMask(cell.glyph) : figureMask(cell.shape)
    masks.set(key, mask)
  }
  return mask
}

const clampByte = (value: number): number => Math.max(0, Math.min(255, Math.round(value)))

/** The picture as bytes [84, 84, 3] (rows, columns, RGB). */
export const renderScene = (scene: Scene): Uint8Array => {
  const pixels = new Uint8Array(imageSize * imageSize * 3)
  for (let i = 0; i < pixels.length; i++) pixels[i] = scene.look.background[i % 3]!
  for (const [place, cell] of scene.cells.entries()) {
    if (cell === undefined) continue
    const mask = maskOf(cell)
    const { dx, dy, brightness } = scene.look.shifts[place]!
    const base: ReadonlyArray<number> = cell.kind === "sign" ? ink : paint[(cell satisfies Figure).color]
    const x0 = (place % 3) * cellSize + dx
    const y0 = Math.floor(place / 3) * cellSize + dy
    for (let i = 0; i < mask.length; i++) {
      const coverage = mask[i]!
      if (coverage === 0) continue
      const at = ((y0 + Math.floor(i / cellSize)) * imageSize + x0 + (i % cellSize)) * 3
      for (let c = 0; c < 3; c++)
        pixels[at + c] = clampByte(pixels[at + c]! * (1 - coverage) + (base[c]! + brightness) * coverage)
    }
  }
  return pixels
}

/** The nominal colour of a figure, for checks. */
export const paintOf = (color: Color): readonly [number, number, number] => paint[color]
