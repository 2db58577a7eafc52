/** Draws a scene as 84x84 pixels. A cell is 28x28: the 2x2 patches of 14 that become one visual token. */
import type { RgbImage } from "@speedq/vlm-model"
import { glyphMask, ink, type Mask, paint, paintMask, plainImage, shapeMask } from "../../common/drawing.ts"
import type { Cell, Scene } from "./Scene.ts"

export const imageSize = 84
const cellSize = 28
const dot = 3
const radius = 11.5

const masks = new Map<string, Mask>()
const maskOf = (cell: Exclude<Cell, undefined>): Mask => {
  const key = cell.kind === "sign" ? cell.glyph : cell.shape
  let mask = masks.get(key)
  if (mask === undefined) {
    mask = cell.kind === "sign" ? glyphMask(cell.glyph, cellSize, dot) : shapeMask(cell.shape, cellSize, radius)
    masks.set(key, mask)
  }
  return mask
}

/** The picture of a scene. */
export const renderScene = (scene: Scene): RgbImage => {
  const image = plainImage(imageSize, imageSize, scene.look.background)
  for (const [place, cell] of scene.cells.entries()) {
    if (cell === undefined) continue
    const { dx, dy, brightness } = scene.look.shifts[place]!
    const at = { left: (place % 3) * cellSize + dx, top: Math.floor(place / 3) * cellSize + dy }
    paintMask(image, maskOf(cell), at, cell.kind === "sign" ? ink : paint[cell.color], brightness)
  }
  return image
}
