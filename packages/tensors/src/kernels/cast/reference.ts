import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../halfPrecision.ts"
import type { Arrays, Geometry } from "../../Kernel.ts"
import type { CastAttributes } from "./geometry.ts"

/** y[i] = the nearest number of the target kind to x[i], ties to even */
export const reference = (
  { x }: Arrays<"x">,
  { y }: Arrays<"y">,
  _geometry: Geometry<"x", "y">,
  { to }: CastAttributes
): void => {
  const convert = {
    f32: (value: number) => value,
    bf16: (value: number) => fromBfloat16(toBfloat16(value)),
    f16: (value: number) => fromFloat16(toFloat16(value))
  }[to]
  for (let i = 0; i < y.length; i++) y[i] = convert(x[i]!)
}
