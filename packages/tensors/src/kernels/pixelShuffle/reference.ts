import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { type PixelShuffleAttributes, shuffleSize } from "./geometry.ts"

/** coarse[t, i, j, (f di + dj) C + c] = fine[t, f i + di, f j + dj, c], or the other way when inverse */
export const reference = (
  { x }: Arrays<"x">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"x", "y">,
  attributes: PixelShuffleAttributes
): void => {
  const { tiles, height, width, channels } = shuffleSize(inputs.x, attributes)
  const { factor, version, inverse } = attributes
  for (let t = 0; t < tiles; t++) {
    for (let row = 0; row < height * factor; row++) {
      for (let column = 0; column < width * factor; column++) {
        const [i, di] = [Math.floor(row / factor), row % factor]
        const [j, dj] = [Math.floor(column / factor), column % factor]
        const cell = version === "v1" ? (t * width + j) * height + i : (t * height + i) * width + j
        const coarse = (cell * factor * factor + factor * di + dj) * channels
        const fine = ((t * height * factor + row) * width * factor + column) * channels
        for (let c = 0; c < channels; c++) {
          if (inverse) y[fine + c] = x[coarse + c]!
          else y[coarse + c] = x[fine + c]!
        }
      }
    }
  }
}
