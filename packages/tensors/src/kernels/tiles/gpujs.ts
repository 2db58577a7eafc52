import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { quotient } from "../../backends/gpujs/numbers.ts"
import type { TileAttributes, UntileAttributes } from "./geometry.ts"

/** Threads: element of a step over all rows that take turns, step, tile. */
function tiled(this: Thread, x: Values) {
  const r = quotient(this.thread.x, this.constants.width)
  const element = this.thread.x - r * this.constants.width
  const column = quotient(this.thread.y * this.constants.width + element, this.constants.repeat)
  let value = 0
  if (this.thread.z * this.constants.together + r < this.constants.rows) {
    if (column < this.constants.columns) {
      value = x[(this.thread.z * this.constants.together + (r | 0)) * this.constants.columns + (column | 0)]
    }
  }
  return value
}

/** Threads: column, row. */
function untiled(this: Thread, tiles: Values) {
  const tile = quotient(this.thread.y, this.constants.together)
  const step = quotient(this.thread.x, this.constants.width)
  const r = this.thread.y - tile * this.constants.together
  const element = this.thread.x - step * this.constants.width
  return tiles[
    (((tile | 0) * this.constants.steps + (step | 0)) * this.constants.together + (r | 0)) * this.constants.width +
      (element | 0)
  ]
}

export const gpujs: GpujsBody<"x", "tiles", TileAttributes> = {
  programs: ({ inputs, outputs }, { together, width, steps, repeat = 1 }) => {
    const [rows, columns] = inputs.x as readonly [number, number]
    return [
      {
        output: "tiles",
        compute: tiled,
        reads: ["x"],
        constants: { rows, columns, together, width, repeat },
        helpers: [quotient],
        extent: [together * width, steps, outputs.tiles[0]!]
      }
    ]
  }
}

export const gpujsUntile: GpujsBody<"tiles", "y", UntileAttributes> = {
  programs: ({ inputs }, { rows, columns }) => {
    const [, steps, together, width] = inputs.tiles as readonly [number, number, number, number]
    return [
      {
        output: "y",
        compute: untiled,
        reads: ["tiles"],
        constants: { steps, together, width },
        helpers: [quotient],
        extent: [columns, rows]
      }
    ]
  }
}
