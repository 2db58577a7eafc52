import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { type PatchesAttributes, patchesSize } from "./geometry.ts"

/** patches[t, i n + j, (c p + di) p + dj] = images[t, c, p i + di, p j + dj], or the other way when inverse */
export const reference = (
  { x }: Arrays<"x">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"x", "y">,
  attributes: PatchesAttributes
): void => {
  const { tiles, channels, grid } = patchesSize(inputs.x, attributes)
  const { patch, inverse } = attributes
  const side = grid * patch
  for (let t = 0; t < tiles; t++) {
    for (let c = 0; c < channels; c++) {
      for (let row = 0; row < side; row++) {
        for (let column = 0; column < side; column++) {
          const cell = (t * grid + Math.floor(row / patch)) * grid + Math.floor(column / patch)
          const cut = ((cell * channels + c) * patch + (row % patch)) * patch + (column % patch)
          const whole = ((t * channels + c) * side + row) * side + column
          if (inverse) y[whole] = x[cut]!
          else y[cut] = x[whole]!
        }
      }
    }
  }
}
