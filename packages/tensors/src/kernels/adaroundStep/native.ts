import { type NativeBody, total } from "../../backends/native/NativeBody.ts"
import { groupOperands } from "../groups/groupOperands.ts"
import type { AdaroundStepAttributes } from "./geometry.ts"

export const native: NativeBody<
  "alpha" | "m" | "v" | "dy" | "weight" | "scale" | "zero",
  "rounding",
  AdaroundStepAttributes
> = (engine, { inputs, outputs: { rounding }, attributes }) => {
  const { alpha, m, v, dy, weight, scale, zero } = inputs
  const { bits, group, lambda, exponent, ...options } = attributes
  const { learningRate, beta1, beta2, epsilon, step } = options
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
      1 - beta1,
      beta2,
      1 - beta2,
      learningRate / (1 - beta1 ** step),
      Math.sqrt(1 - beta2 ** step),
      epsilon
    ]
  })
}
