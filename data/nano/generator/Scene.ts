/** A picture's content: a 3x3 grid whose cells hold a coloured shape, a written character, or nothing. */
import type { Random } from "@speedq/tensors"
import { chance, pick, shuffle, weighted } from "../../common/draws.ts"
import { hash } from "../../common/hash.ts"

export const shapes = ["circle", "square", "triangle", "star", "cross", "ring"] as const
export const colors = ["red", "green", "blue", "yellow", "purple", "orange"] as const
export const letters = ["A", "C", "E", "H", "K", "L", "M", "N", "P", "R", "T", "X"] as const
export const digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] as const
export const hanzi = ["山", "口", "日", "木", "人", "王"] as const
/** Words of three letters that a whole row of the grid can spell. */
export const rowWords = [
  ...["CAT", "HAT", "RAT", "MAT", "CAP", "MAP", "LAP", "TAP", "CAN", "MAN", "PAN", "HEN"],
  ...["PEN", "TEN", "NET", "PET", "HAM", "RAM", "ARM", "EAR", "TEA", "AXE", "ELK", "TAX"]
] as const

export type Shape = (typeof shapes)[number]
export type Color = (typeof colors)[number]
export type Glyph = (typeof letters)[number] | (typeof digits)[number] | (typeof hanzi)[number]

export interface Figure {
  readonly kind: "figure"
  readonly shape: Shape
  readonly color: Color
}
export interface Sign {
  readonly kind: "sign"
  readonly glyph: Glyph
}
export type Cell = Figure | Sign | undefined

/** A row of the grid that spells something, read from left to right. */
export interface Writing {
  readonly kind: "word" | "number"
  readonly row: number
  readonly text: string
}

export interface Scene {
  /** Nine cells in reading order: cell `3 * row + column`. */
  readonly cells: ReadonlyArray<Cell>
  readonly writing: Writing | undefined
  /** What varies without changing any answer: background, and per cell an offset in pixels and a change of brightness. */
  readonly look: {
    readonly background: readonly [number, number, number]
    readonly shifts: ReadonlyArray<{ readonly dx: number; readonly dy: number; readonly brightness: number }>
  }
}

export type Split = "train" | "evaluation"

const cellKey = (cell: Cell): string =>
  cell === undefined ? "-" : cell.kind === "sign" ? cell.glyph : `${cell.color} ${cell.shape}`

/** The scene's content as text; two scenes with the same key have the same answer to every question. */
export const sceneKey = (scene: Pick<Scene, "cells">): string => scene.cells.map(cellKey).join("|")

/** One content in eight belongs to evaluation, decided by its hash alone, so no training scene can ever be an evaluation scene. */
export const splitOf = (scene: Pick<Scene, "cells">): Split =>
  hash(sceneKey(scene)) % 8 === 0 ? "evaluation" : "train"

const drawGlyph = (random: Random): Glyph => {
  const kind = weighted(random, [12, 10, 6])
  return kind === 0 ? pick(random, letters) : kind === 1 ? pick(random, digits) : pick(random, hanzi)
}

const drawWriting = (random: Random): Writing => {
  const row = random.nextInteger(3)
  return chance(random, 1, 2)
    ? { kind: "word", row, text: pick(random, rowWords) }
    : { kind: "number", row, text: pick(random, digits) + pick(random, digits) + pick(random, digits) }
}

const drawScene = (random: Random, alike: boolean): Scene => {
  const cells: Array<Cell> = new Array(9).fill(undefined)
  const style = alike ? 0 : weighted(random, [6, 7, 7])
  const writing = style === 2 ? drawWriting(random) : undefined
  if (writing !== undefined) {
    for (const [column, glyph] of [...writing.text].entries())
      cells[3 * writing.row + column] = { kind: "sign", glyph: glyph as Glyph }
  }
  const free = shuffle(
    random,
    [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((place) => cells[place] === undefined)
  )
  if (style === 1) {
    const signs = 1 + random.nextInteger(2)
    for (let i = 0; i < signs; i++) cells[free.pop()!] = { kind: "sign", glyph: drawGlyph(random) }
  }
  // Few colours and shapes in a scene make equal attributes, and so counts above one, common.
  const kinds = () => (alike ? 1 + random.nextInteger(3) : 2 + random.nextInteger(4))
  const palette = shuffle(random, colors).slice(0, kinds())
  const forms = shuffle(random, shapes).slice(0, kinds())
  const figures = (alike ? 4 : style === 0 ? 3 : 2) + random.nextInteger(4)
  for (let i = 0; i < figures; i++) {
    cells[free.pop()!] = {
      kind: "figure",
      shape: pick(random, forms),
      color: pick(random, palette)
    }
  }
  const light = (): number => 236 + random.nextInteger(17)
  return {
    cells,
    writing,
    look: {
      background: [light(), light(), light()],
      shifts: cells.map(() => ({
        dx: random.nextInteger(3) - 1,
        dy: random.nextInteger(3) - 1,
        brightness: random.nextInteger(17) - 8
      }))
    }
  }
}

/** Draws scenes until one falls into `split`. Where figures are `alike` there are many of them and few kinds, so counts are high. */
export const makeScene = (random: Random, split: Split = "train", alike = false): Scene => {
  let scene = drawScene(random, alike)
  while (splitOf(scene) !== split) scene = drawScene(random, alike)
  return scene
}
