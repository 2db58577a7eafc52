import { type NativeBody, reading, shared, updating } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../core/Shape.ts"
import { type AdamStepAttributes, adamDecay, adamNumbers } from "./geometry.ts"

export const native: NativeBody<"parameter" | "m" | "v" | "gradient", never, AdamStepAttributes, "factor"> = (
  engine,
  { inputs: { parameter, m, v, gradient, factor }, attributes }
) => {
  const { beta1, rest1, beta2, rest2, stepSize, correction, epsilon } = adamNumbers(attributes)
  const { shrink, added } = adamDecay(attributes)
  engine.rows({
    entry: "adamStep",
    rows: sizeOf(parameter.shape),
    operands: [updating(parameter, 4), updating(m, 4), updating(v, 4), reading(gradient, 4), factor && shared(factor)],
    scalars: [beta1, rest1, beta2, rest2, shrink, added, stepSize, correction, epsilon]
  })
}
