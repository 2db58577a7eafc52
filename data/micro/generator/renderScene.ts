/**
 * Draws a scene. A tile is 84x84 pixels, a cell 28x28: 2x2 patches of 14 pixels, which become one visual token. Small figures have one
 * patch each, a line of text two, and dots a quarter of one.
 */
import type { RgbImage } from "@speedq/vlm-model"
import { glyphMask, ink, type Mask, paint, paintMask, plainImage, type Rgb, shapeMask } from "../../common/drawing.ts"
import {
  type Cell,
  type CellLook,
  type Character,
  cellsPerTile,
  type Layout,
  type Scene,
  type Shape,
  tilesOf
} from "./Scene.ts"

export const tileSize = 84
const cellSize = 28
const patchSize = 14
const dotSpacing = 7

/** Masks by the names of what they show: each is made once. */
const remembered = <K extends string>(make: (key: K) => Mask): ((key: K) => Mask) => {
  const masks = new Map<K, Mask>()
  return (key) => {
    const mask = masks.get(key) ?? make(key)
    masks.set(key, mask)
    return mask
  }
}
const bigMask = remembered((shape: Shape) => shapeMask(shape, cellSize, 11.5))
const smallMask = remembered((shape: Shape) => shapeMask(shape, patchSize, 5.8))
const characterMask = remembered((character: Character) => glyphMask(character, dotSpacing, 1))
const dotMask = shapeMask("circle", dotSpacing, 2.4)

type Brush = (mask: Mask, x: number, y: number, color: Rgb, half: number) => void

const paintCell = (cell: Exclude<Cell, undefined>, look: CellLook, brush: Brush): void => {
  const line = (half: number): number => (look.low[half] ? patchSize : 0)
  if (cell.kind === "big") brush(bigMask(cell.shape), 0, 0, paint[cell.color], 0)
  else if (cell.kind === "pair") {
    for (const [half, { shape, color }] of [cell.left, cell.right].entries())
      brush(smallMask(shape), half * patchSize, line(half), paint[color], half)
  } else if (cell.kind === "dots") {
    for (const place of look.places.slice(0, cell.count))
      brush(dotMask, (place % 4) * dotSpacing, Math.floor(place / 4) * dotSpacing, paint[cell.color], 0)
  } else {
    for (const [i, character] of [...cell.text].entries())
      brush(characterMask(character as Character), (look.start + i) * dotSpacing, line(0) + 3, ink, 0)
  }
}

/** Size of a picture in tiles. */
const gridOf = (layout: Layout): { readonly columns: number; readonly rows: number } => ({
  columns: layout === "wide" ? 2 : 1,
  rows: layout === "tall" ? 2 : 1
})

/** The picture of a scene. */
export const renderScene = ({ layout, cells, look }: Scene): RgbImage => {
  const { columns, rows } = gridOf(layout)
  const image = plainImage(columns * tileSize, rows * tileSize, look.background)
  for (const [at, cell] of cells.entries()) {
    if (cell === undefined) continue
    const tile = Math.floor(at / cellsPerTile)
    const place = at % cellsPerTile
    const left = (tile % columns) * tileSize + (place % 3) * cellSize
    const top = Math.floor(tile / columns) * tileSize + Math.floor(place / 3) * cellSize
    const cellLook = look.cells[at]!
    paintCell(cell, cellLook, (mask, x, y, color, half) => {
      const { dx, dy, brightness } = cellLook.halves[half]!
      paintMask(image, mask, { left: left + x + dx, top: top + y + dy }, color, brightness)
    })
  }
  return image
}

/** Tiles that a picture becomes, its thumbnail included. */
export const shownTiles = (layout: Layout): number => (layout === "single" ? 1 : tilesOf(layout) + 1)
