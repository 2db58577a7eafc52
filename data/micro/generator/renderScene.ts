/**
 * Draws a scene. A tile is 84x84 pixels, a cell 28x28: 2x2 patches of 14 pixels, which become one visual token. Where things vary, they
 * lie across patches: no weighted sum of a patch's pixels says what they are, so the vision tower's blocks have to.
 */
import type { RgbImage } from "@speedq/vlm-model"
import { glyphMask, ink, type Mask, paint, paintMask, plainImage, type Rgb, shapeMask } from "../../common/drawing.ts"
import {
  type Cell,
  type CellLook,
  type Character,
  type Color,
  cellsPerTile,
  type Layout,
  type Look,
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
/** Radii by size. */
const radii = { big: [8, 10, 12], small: [4.8, 5.4, 6], dot: [1.7, 2.1, 2.5] } as const
/** How far a shape of radius 1 reaches: the points of a star. */
const longest = 1.05
type Drawn = keyof typeof radii
const boxes: Readonly<Record<Drawn, number>> = { big: cellSize, small: patchSize, dot: dotSpacing }

const shapeMasks = remembered((key: `${Drawn} ${Shape} ${number}`) => {
  const [drawn, shape, size] = key.split(" ") as [Drawn, Shape, string]
  return shapeMask(shape, boxes[drawn], radii[drawn][Number(size)]!)
})
const characterMask = remembered((character: Character) => glyphMask(character, dotSpacing, 1))

type Brush = (mask: Mask, left: number, top: number, color: Rgb, brightness: number) => void
interface Box {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** A shape in a box, at the place in the room around it that its look says. */
const paintShape = (brush: Brush, drawn: Drawn, shape: Shape, color: Color, look: Look, box: Box): void => {
  const mask = shapeMasks(`${drawn} ${shape} ${look.size}`)
  const reach = longest * radii[drawn][look.size]!
  const middle = (length: number, along: number): number => length / 2 + Math.trunc(along * (length / 2 - reach))
  const left = box.left + middle(box.width, look.x) - mask.size / 2
  const top = box.top + middle(box.height, look.y) - mask.size / 2
  brush(mask, left, top, paint[color], look.brightness)
}

const square = (left: number, top: number, side: number): Box => ({ left, top, width: side, height: side })

const paintText = (brush: Brush, text: string, { halves: [look], low }: CellLook): void => {
  const { x, y, brightness } = look!
  const left = Math.round(((1 + x) / 2) * (cellSize - text.length * dotSpacing))
  const top = (low ? patchSize : 0) + Math.round(((1 + y) / 2) * (patchSize - dotSpacing))
  for (const [i, character] of [...text].entries())
    brush(characterMask(character as Character), left + i * dotSpacing, top, ink, brightness)
}

const paintCell = (cell: Exclude<Cell, undefined>, look: CellLook, brush: Brush): void => {
  if (cell.kind === "big") paintShape(brush, "big", cell.shape, cell.color, look.halves[0]!, square(0, 0, cellSize))
  else if (cell.kind === "pair") {
    for (const [half, { shape, color }] of [cell.left, cell.right].entries()) {
      const box = { left: half * patchSize, top: 0, width: patchSize, height: cellSize }
      paintShape(brush, "small", shape, color, look.halves[half]!, box)
    }
  } else if (cell.kind === "dots") {
    for (const [i, dot] of look.dots.entries()) {
      const place = look.places[i]!
      const box = square((place % 4) * dotSpacing, Math.floor(place / 4) * dotSpacing, dotSpacing)
      paintShape(brush, "dot", "circle", cell.color, dot, box)
    }
  } else paintText(brush, cell.text, look)
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
    paintCell(cell, look.cells[at]!, (mask, x, y, color, brightness) =>
      paintMask(image, mask, { left: left + x, top: top + y }, color, brightness)
    )
  }
  return image
}

/** Tiles that a picture becomes, its thumbnail included. */
export const shownTiles = (layout: Layout): number => (layout === "single" ? 1 : tilesOf(layout) + 1)
