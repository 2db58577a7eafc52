import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import type { TileAttributes, UntileAttributes } from "./geometry.ts"

export const reference = (
  { x }: Arrays<"x">,
  { tiles }: Arrays<"tiles">,
  { inputs }: Geometry<"x", "tiles">,
  { together, width, steps, repeat = 1 }: TileAttributes
): void => {
  const [rows, columns] = inputs.x as readonly [number, number]
  for (let at = 0; at < tiles.length; at++) {
    const turn = Math.floor(at / width)
    const row = Math.floor(turn / together / steps) * together + (turn % together)
    const column = Math.floor(((Math.floor(turn / together) % steps) * width + (at % width)) / repeat)
    tiles[at] = row < rows && column < columns ? x[row * columns + column]! : 0
  }
}

export const referenceUntile = (
  { tiles }: Arrays<"tiles">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"tiles", "y">,
  { rows, columns }: UntileAttributes
): void => {
  const [, steps, together, width] = inputs.tiles as readonly [number, number, number, number]
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const turn = (Math.floor(row / together) * steps + Math.floor(column / width)) * together + (row % together)
      y[row * columns + column] = tiles[turn * width + (column % width)]!
    }
  }
}
