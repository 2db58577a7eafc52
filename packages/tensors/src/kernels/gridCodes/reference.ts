import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { fromFloat16, toFloat16 } from "../../numbers/halfPrecision.ts"
import { roundHalfEven } from "../../numbers/roundHalfEven.ts"
import type { GridCodesAttributes } from "./geometry.ts"

const f = Math.fround

/** code = clamp(rne(w / scale + zero), 0, 2^b - 1), each operation rounded. */
export const reference = (
  { weight, scale, zero }: Arrays<"weight" | "scale" | "zero">,
  { codes }: Arrays<"codes">,
  { inputs }: Geometry<"weight" | "scale" | "zero", "codes">,
  { bits, arithmetic = "f32" }: GridCodesAttributes
): void => {
  const group = inputs.weight[1]! / inputs.scale[1]!
  const r = arithmetic === "f32" ? f : (value: number) => fromFloat16(toFloat16(value))
  for (let i = 0; i < codes.length; i++) {
    const at = Math.floor(i / group)
    const code = roundHalfEven(r(r(weight[i]! / scale[at]!) + zero[at]!))
    codes[i] = Math.min(Math.max(code, 0), 2 ** bits - 1)
  }
}

/** y = scale (code - zero), each operation in f32. */
export const referenceDecode = (
  { codes, scale, zero }: Arrays<"codes" | "scale" | "zero">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"codes" | "scale" | "zero", "y">
): void => {
  const group = inputs.codes[1]! / inputs.scale[1]!
  for (let i = 0; i < y.length; i++) {
    const at = Math.floor(i / group)
    y[i] = f(scale[at]! * f(codes[i]! - zero[at]!))
  }
}
