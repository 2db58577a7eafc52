import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { quotient } from "../../backends/gpujs/numbers.ts"
import { type PatchesAttributes, patchesSize } from "./geometry.ts"

/** Element x = (c p + di) p + dj of patch y = i n + j of image z. */
function cut(this: Thread, image: Values) {
  const line = quotient(this.thread.x, this.constants.patch)
  const channel = quotient(line, this.constants.patch)
  const di = line - channel * this.constants.patch
  const dj = this.thread.x - line * this.constants.patch
  const i = quotient(this.thread.y, this.constants.grid)
  const j = this.thread.y - i * this.constants.grid
  const row = i * this.constants.patch + di
  const column = j * this.constants.patch + dj
  return image[
    ((this.thread.z * this.constants.channels + (channel | 0)) * this.constants.side + (row | 0)) *
      this.constants.side +
      (column | 0)
  ]
}

/** Pixel x of line y of channel z of all images. */
function fold(this: Thread, patches: Values) {
  const tile = quotient(this.thread.z, this.constants.channels)
  const channel = this.thread.z - tile * this.constants.channels
  const i = quotient(this.thread.y, this.constants.patch)
  const di = this.thread.y - i * this.constants.patch
  const j = quotient(this.thread.x, this.constants.patch)
  const dj = this.thread.x - j * this.constants.patch
  return patches[
    (((((tile | 0) * this.constants.grid + (i | 0)) * this.constants.grid + (j | 0)) * this.constants.channels +
      (channel | 0)) *
      this.constants.patch +
      (di | 0)) *
      this.constants.patch +
      (dj | 0)
  ]
}

export const gpujs: GpujsBody<"x", "y", PatchesAttributes> = {
  programs: ({ inputs }, attributes) => {
    const { tiles, channels, grid } = patchesSize(inputs.x, attributes)
    const { patch, inverse } = attributes
    const side = grid * patch
    return [
      {
        output: "y",
        compute: inverse ? fold : cut,
        reads: ["x"],
        constants: { patch, grid, channels, side },
        extent: inverse ? [side, side, tiles * channels] : [channels * patch * patch, grid * grid, tiles],
        helpers: [quotient]
      }
    ]
  }
}
