import { type NativeBody, reading, total, updating } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import type { AdaroundStepAttributes } from "./geometry.ts"

export const native: NativeBody = (engine, { inputs, outputs: { rounding }, attributes }) => {
  const { alpha, m, v, dy, weight, scale, zero } = inputs
  const { bits, group, lambda, exponent, ...options } = attributes as AdaroundStepAttributes
  const { learningRate, beta1, beta2, epsilon, step } = options
  engine.rows({
    entry: "adaroundStep",
    rows: sizeOf(scale!.shape),
    scratch: true,
    operands: [
      updating(alpha, 4 * group),
      updating(m, 4 * group),
      updating(v, 4 * group),
      reading(dy, 4 * group),
      reading(weight, 4 * group),
      reading(scale, 4),
      reading(zero, 4)
    ],
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
