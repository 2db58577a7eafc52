/** A picture's content: one or two tiles, each a 3x3 grid whose cells hold things that share a few pixels. */
import type { Random } from "@speedq/tensors"
import { chance, pick, shuffle, weighted } from "../../common/draws.ts"
import { hash } from "../../common/hash.ts"

export const shapes = ["circle", "square", "triangle", "star", "cross", "ring", "diamond", "bar"] as const
export const colors = ["red", "green", "blue", "yellow", "purple", "orange"] as const
export const letters = ["A", "C", "E", "H", "K", "L", "M", "N", "P", "R", "T", "X"] as const
export const digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] as const

export type Shape = (typeof shapes)[number]
export type Color = (typeof colors)[number]
export type Character = (typeof letters)[number] | (typeof digits)[number]

export interface Figure {
  readonly shape: Shape
  readonly color: Color
}
/** A figure that fills its cell. */
export interface Big extends Figure {
  readonly kind: "big"
}
/** Two small figures, one in the left and one in the right half of a cell. */
export interface Pair {
  readonly kind: "pair"
  readonly left: Figure
  readonly right: Figure
}
/** Two to four small characters in one of the cell's two lines, letters alone or digits alone. */
export interface Text {
  readonly kind: "letters" | "digits"
  readonly text: string
}
/** One to six small dots of one colour. */
export interface Dots {
  readonly kind: "dots"
  readonly count: number
  readonly color: Color
}
export type Thing = Big | Pair | Text | Dots
export type Cell = Thing | undefined

/** How the tiles lie: alone, side by side, or one above the other. */
export const layouts = ["single", "wide", "tall"] as const
export type Layout = (typeof layouts)[number]

/** Where a thing is in the room that it has, -1 to 1, how large it is, 0 to 2, and a change of brightness. */
export interface Look {
  readonly x: number
  readonly y: number
  readonly size: number
  readonly brightness: number
}
/** What varies in a cell without changing any answer. */
export interface CellLook {
  /** Of the thing, or of a pair's left and right figure. */
  readonly halves: ReadonlyArray<Look>
  /** Whether a text is in the lower line. */
  readonly low: boolean
  /** The sixteen places of dots in the order in which they are used, and how each dot looks. */
  readonly places: ReadonlyArray<number>
  readonly dots: ReadonlyArray<Look>
}

export interface Scene {
  readonly layout: Layout
  /** Nine cells for each tile in reading order: cell `9 * tile + 3 * row + column`. */
  readonly cells: ReadonlyArray<Cell>
  readonly look: { readonly background: readonly [number, number, number]; readonly cells: ReadonlyArray<CellLook> }
}

export const cellsPerTile = 9
export const tilesOf = (layout: Layout): number => (layout === "single" ? 1 : 2)

/** The evaluation sets are made of scenes of `evaluation`; `held-out` ones are looked at once, when everything is decided. */
export const splits = ["train", "evaluation", "held-out"] as const
export type Split = (typeof splits)[number]

const figureKey = ({ color, shape }: Figure): string => `${color} ${shape}`
const cellKey = (cell: Cell): string => {
  if (cell === undefined) return "-"
  if (cell.kind === "big") return figureKey(cell)
  if (cell.kind === "pair") return `${figureKey(cell.left)} ${figureKey(cell.right)}`
  return cell.kind === "dots" ? `${cell.count} ${cell.color}` : cell.text
}

/** The scene's content as text; two scenes with the same key have the same answer to every question. */
export const sceneKey = ({ layout, cells }: Pick<Scene, "layout" | "cells">): string =>
  [layout, ...cells.map(cellKey)].join("|")

/** One content in eight belongs to each of the other splits, decided by its hash alone: no training scene is ever one of theirs. */
export const splitOf = (scene: Pick<Scene, "layout" | "cells">): Split => {
  const part = hash(sceneKey(scene)) % 8
  return part === 0 ? "evaluation" : part === 1 ? "held-out" : "train"
}

export interface Draw {
  /** Whole weights of single, wide and tall. */
  readonly layouts: readonly [number, number, number]
  /** Whole weights of big figures, pairs, texts and dots. */
  readonly things: readonly [number, number, number, number]
  /** Share of the scenes with many big figures of few kinds, whose counts are high, in percent. */
  readonly alikePercent: number
  /** Whether places inside a cell and sizes vary; otherwise every thing is in the middle and as large as can be. */
  readonly varied: boolean
}

const drawText = (random: Random): Text => {
  const kind = chance(random, 1, 2) ? "letters" : "digits"
  const length = 2 + random.nextInteger(3)
  const from: ReadonlyArray<string> = kind === "letters" ? letters : digits
  return { kind, text: Array.from({ length }, () => pick(random, from)).join("") }
}

/** Steps from the middle to either end of the room that a thing has. */
const steps = 8
const sizes = 3

const drawLook = (random: Random, varied: boolean): Look => {
  const brightness = random.nextInteger(17) - 8
  if (!varied) return { x: 0, y: 0, size: sizes - 1, brightness }
  const along = (): number => (random.nextInteger(2 * steps + 1) - steps) / steps
  return { x: along(), y: along(), size: random.nextInteger(sizes), brightness }
}

const drawCellLook = (random: Random, varied: boolean, cell: Cell): CellLook => ({
  halves: [drawLook(random, varied), drawLook(random, varied)],
  low: chance(random, 1, 2),
  places: [...random.permutation(16)],
  dots: cell?.kind === "dots" ? Array.from({ length: cell.count }, () => drawLook(random, varied)) : []
})

/** Weights of the kinds of things in a scene whose figures are alike. */
const alikeShares = [10, 1, 1, 1] as const

const drawScene = (random: Random, { layouts: shares, things: kindShares, alikePercent, varied }: Draw): Scene => {
  const layout = layouts[weighted(random, shares)]!
  const alike = chance(random, alikePercent, 100)
  const kinds = (): number => (alike ? 1 + random.nextInteger(3) : 2 + random.nextInteger(5))
  const palette = shuffle(random, colors).slice(0, kinds())
  const forms = shuffle(random, shapes).slice(0, kinds())
  const figure = (): Figure => ({ shape: pick(random, forms), color: pick(random, palette) })
  const thing = (): Thing => {
    switch (weighted(random, alike ? alikeShares : kindShares)) {
      case 0:
        return { kind: "big", ...figure() }
      case 1:
        return { kind: "pair", left: figure(), right: figure() }
      case 2:
        return drawText(random)
      default:
        return { kind: "dots", count: 1 + random.nextInteger(6), color: pick(random, colors) }
    }
  }
  const cells: Array<Cell> = new Array(cellsPerTile * tilesOf(layout)).fill(undefined)
  for (let tile = 0; tile < tilesOf(layout); tile++) {
    const things = layout === "single" ? 5 + random.nextInteger(3) : 3 + random.nextInteger(2)
    const places = random.permutation(cellsPerTile)
    for (let i = 0; i < things; i++) cells[cellsPerTile * tile + places[i]!] = thing()
  }
  const light = (): number => (varied ? 216 : 236) + random.nextInteger(varied ? 37 : 17)
  return {
    layout,
    cells,
    look: { background: [light(), light(), light()], cells: cells.map((cell) => drawCellLook(random, varied, cell)) }
  }
}

/** Draws scenes until one falls into `split`. */
export const makeScene = (random: Random, draw: Draw, split: Split = "train"): Scene => {
  let scene = drawScene(random, draw)
  while (splitOf(scene) !== split) scene = drawScene(random, draw)
  return scene
}
