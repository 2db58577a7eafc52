import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { roundHalfEven } from "../../numbers/roundHalfEven.ts"
import type { GridAttributes } from "../gridCodes/geometry.ts"
import { clamp } from "../groups/roundings.ts"

const f = Math.fround

/** Codes as gridCodes has them, each operation rounded; the sums are not. */
export const reference = (
  { dy, weight, scale, zero }: Arrays<"dy" | "weight" | "scale" | "zero">,
  { dweight, dscale, dzero }: Arrays<"dweight" | "dscale" | "dzero">,
  { inputs }: Geometry<"dy" | "weight" | "scale" | "zero", "dweight" | "dscale" | "dzero">,
  { bits }: GridAttributes
): void => {
  const group = inputs.weight[1]! / inputs.scale[1]!
  const levels = 2 ** bits - 1
  for (let index = 0; index < scale.length; index++) {
    const [s, z] = [scale[index]!, zero[index]!]
    let [byScale, outside] = [0, 0]
    for (let i = index * group; i < (index + 1) * group; i++) {
      const steps = f(weight[i]! / s)
      const open = roundHalfEven(f(steps + z))
      const inside = open >= 0 && open <= levels
      dweight[i] = inside ? dy[i]! : 0
      byScale += dy[i]! * (clamp(open, 0, levels) - z - (inside ? steps : 0))
      if (!inside) outside += dy[i]!
    }
    dscale[index] = byScale
    dzero[index] = -s * outside
  }
}
