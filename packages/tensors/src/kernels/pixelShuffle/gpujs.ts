import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { quotient } from "../../backends/gpujs/numbers.ts"
import { type PixelShuffleAttributes, shuffleSize } from "./geometry.ts"

/** Channel x = (f di + dj) C + c of cell y of image z; v1 has the cells column by column. */
function shuffle(this: Thread, fine: Values) {
  const neighbour = quotient(this.thread.x, this.constants.channels)
  const channel = this.thread.x - neighbour * this.constants.channels
  const di = quotient(neighbour, this.constants.factor)
  const dj = neighbour - di * this.constants.factor
  const slow = quotient(this.thread.y, this.constants.cells)
  const fast = this.thread.y - slow * this.constants.cells
  let row = slow * this.constants.factor + di
  let column = fast * this.constants.factor + dj
  if (this.constants.swapped === 1) {
    row = fast * this.constants.factor + di
    column = slow * this.constants.factor + dj
  }
  return fine[
    ((this.thread.z * this.constants.height + (row | 0)) * this.constants.width + (column | 0)) *
      this.constants.channels +
      (channel | 0)
  ]
}

/** Channel x of pixel y of image z, from where shuffle put it. */
function unshuffle(this: Thread, coarse: Values) {
  const row = quotient(this.thread.y, this.constants.width)
  const column = this.thread.y - row * this.constants.width
  const i = quotient(row, this.constants.factor)
  const di = row - i * this.constants.factor
  const j = quotient(column, this.constants.factor)
  const dj = column - j * this.constants.factor
  let cell = i * this.constants.cells + j
  if (this.constants.swapped === 1) {
    cell = j * this.constants.cells + i
  }
  const neighbour = di * this.constants.factor + dj
  return coarse[
    ((this.thread.z * this.constants.count + (cell | 0)) * this.constants.factor * this.constants.factor +
      (neighbour | 0)) *
      this.constants.channels +
      this.thread.x
  ]
}

export const gpujs: GpujsBody<"x", "y", PixelShuffleAttributes> = {
  programs: ({ inputs }, attributes) => {
    const { tiles, height, width, channels } = shuffleSize(inputs.x, attributes)
    const { factor, version, inverse } = attributes
    const swapped = version === "v1"
    const count = height * width
    return [
      {
        output: "y",
        compute: inverse ? unshuffle : shuffle,
        reads: ["x"],
        constants: {
          factor,
          channels,
          height: height * factor,
          width: width * factor,
          /** Cells along the fast axis of the coarse grid. */
          cells: swapped ? height : width,
          count,
          swapped: Number(swapped)
        },
        extent: inverse ? [channels, count * factor * factor, tiles] : [factor * factor * channels, count, tiles],
        helpers: [quotient]
      }
    ]
  }
}
