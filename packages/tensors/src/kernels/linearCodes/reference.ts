import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { type LinearCodesAttributes, linearCodesExtents } from "./geometry.ts"

type Inputs = "x" | "codes" | "scale" | "zero" | "bias"

const f = Math.fround

/** y[r, o] = bias[o] + sum over i of x[r, i] w[o, i], w = scale (code - zero) in f32. */
export const reference = (
  { x, codes, scale, zero, bias }: Arrays<Inputs>,
  { y }: Arrays<"y">,
  { inputs }: Geometry<Inputs, "y">,
  attributes: LinearCodesAttributes
): void => {
  const { n, k, group } = linearCodesExtents(inputs, attributes)
  const { bits } = attributes
  const weight = (index: number): number => {
    const bit = index * bits
    const code = Math.floor(codes[Math.floor(bit / 8)]! / 2 ** (bit % 8)) % 2 ** bits
    const at = Math.floor(index / group)
    return f(scale[at]! * f(code - zero[at]!))
  }
  const weights = Float64Array.from({ length: n * k }, (_, index) => weight(index))
  for (let i = 0; i < y.length; i++) {
    const [row, output] = [Math.floor(i / n), i % n]
    let sum = bias?.[output] ?? 0
    for (let j = 0; j < k; j++) sum += x[row * k + j]! * weights[output * k + j]!
    y[i] = sum
  }
}
