import { type NativeBody, total } from "../../backends/native/NativeBody.ts"
import { adamNumbers } from "../adamStep/geometry.ts"
import { groupOperands } from "../groups/groupOperands.ts"
import type { AdaroundStepAttributes } from "./geometry.ts"

export const native: NativeBody<
  "alpha" | "m" | "v" | "dy" | "weight" | "scale" | "zero",
  "rounding",
  AdaroundStepAttributes
> = (engine, { inputs, outputs: { rounding }, attributes }) => {
  const { alpha, m, v, dy, weight, scale, zero } = inputs
  const { bits, group, lambda, exponent, ...options } = attributes
  const { beta1, rest1, beta2, rest2, stepSize, correction, epsilon } = adamNumbers(options)
  const { rows, read, update } = groupOperands(scale, group)
  engine.rows({
    entry: "adaroundStep",
    rows,
    scratch: true,
    operands: [update(alpha), update(m), update(v), read(dy), read(weight), read(scale), read(zero)],
    partials: [total(rounding, { factor: lambda })],
    scalars: [
      group,
      2 ** bits - 1,
      2 * lambda * exponent,
      exponent - 1,
      beta1,
      rest1,
      beta2,
      rest2,
      stepSize,
      correction,
      epsilon
    ]
  })
}
