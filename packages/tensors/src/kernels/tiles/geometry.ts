/**
 * Matrices as tiles: `together` rows take turns with `width` elements each, so that a kernel that computes so many rows at once
 * reads one stream. x [N, B] <-> tiles [ceil(N / together), steps, together, width]:
 *
 *   tiles[t, s, r, i] = x[t together + r, floor((s width + i) / repeat)], 0 beyond the rows and columns of x
 */
import { InvalidAttribute, ShapeMismatch } from "../../core/Errors.ts"
import type { Shape } from "../../core/Shape.ts"
import { expectAxes } from "../operands/shapeRules.ts"

export interface TileAttributes {
  /** Rows that take turns. */
  readonly together: number
  /** Elements of a turn. */
  readonly width: number
  /** Turns of a row, at least enough for all of its elements. */
  readonly steps: number
  /** How often an element is repeated; default 1. */
  readonly repeat?: number
  /** Of x. */
  readonly dtype: TileDType
}

export type TileDType = "f32" | "bf16" | "f16" | "u8"

const isCount = (value: number): boolean => Number.isInteger(value) && value > 0

/** The shape of tiles of x. Raises ShapeMismatch and InvalidAttribute. */
export const tileShape = (x: Shape, { together, width, steps, repeat = 1 }: Omit<TileAttributes, "dtype">): Shape => {
  expectAxes("tileRows", "x", x, 2)
  for (const [name, value] of Object.entries({ together, width, repeat })) {
    if (!isCount(value)) throw new InvalidAttribute("tileRows", name, value, "a whole number above 0")
  }
  const [rows, columns] = x as readonly [number, number]
  const least = Math.ceil((columns * repeat) / width)
  if (!Number.isInteger(steps) || steps < least) {
    throw new InvalidAttribute("tileRows", "steps", steps, `a whole number of at least ${least} for ${columns} columns`)
  }
  return [Math.ceil(rows / together), steps, together, width]
}

/** The matrix to take out of its tiles. */
export interface UntileAttributes {
  /** Of the tiles. */
  readonly dtype: TileDType
  readonly rows: number
  readonly columns: number
}

/** The shape of the matrix. Raises ShapeMismatch. */
export const untiledShape = (tiles: Shape, { rows, columns }: Omit<UntileAttributes, "dtype">): Shape => {
  expectAxes("untileRows", "tiles", tiles, 4)
  const [count, steps, together, width] = tiles as readonly [number, number, number, number]
  if (count !== Math.ceil(rows / together) || steps * width < columns) {
    throw new ShapeMismatch("untileRows", "tiles", `tiles of ${rows} rows with ${columns} columns`, tiles)
  }
  return [rows, columns]
}
