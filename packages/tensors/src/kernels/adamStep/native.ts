import { type NativeBody, reading, shared, updating } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { AdamStepAttributes } from "./geometry.ts"

export const native: NativeBody<"parameter" | "m" | "v" | "gradient", never, AdamStepAttributes, "factor"> = (
  engine,
  { inputs: { parameter, m, v, gradient, factor }, attributes }
) => {
  const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled, step } = attributes
  engine.rows({
    entry: "adamStep",
    rows: sizeOf(parameter.shape),
    operands: [updating(parameter, 4), updating(m, 4), updating(v, 4), reading(gradient, 4), factor && shared(factor)],
    scalars: [
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      decoupled ? 1 - learningRate * weightDecay : 1,
      decoupled ? 0 : weightDecay,
      learningRate / (1 - beta1 ** step),
      Math.sqrt(1 - beta2 ** step),
      epsilon
    ]
  })
}
