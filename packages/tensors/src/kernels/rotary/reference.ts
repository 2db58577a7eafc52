import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { type RotaryAttributes, rotation } from "./geometry.ts"

/** Each pair (x[j], x[j + D/2]) turned by position theta^(-2 j / D) */
export const reference = (
  { x, positions }: Arrays<"x" | "positions">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"x" | "positions", "y">,
  attributes: RotaryAttributes
): void => {
  const [heads, width] = [inputs.x[2]!, inputs.x[3]!]
  const half = width / 2
  for (const [token, position] of positions.entries()) {
    for (let head = 0; head < heads; head++) {
      const start = (token * heads + head) * width
      for (let j = 0; j < half; j++) {
        const { cosine, sine } = rotation(position, j, width, attributes)
        const [first, second] = [x[start + j]!, x[start + half + j]!]
        y[start + j] = first * cosine - second * sine
        y[start + half + j] = second * cosine + first * sine
      }
    }
  }
}
