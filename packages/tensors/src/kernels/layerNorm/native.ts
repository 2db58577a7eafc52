import { type NativeBody, reading, rowSums, shared, writing } from "../../backends/native/NativeBody.ts"
import { asMatrix } from "../../core/Shape.ts"
import type { NormAttributes } from "./geometry.ts"

export const native: NativeBody<"x" | "weight" | "bias", "y" | "mean" | "inverseDeviation", NormAttributes> = (
  engine,
  { inputs: { x, weight, bias }, outputs, attributes }
) => {
  const { rows, columns } = asMatrix(x.shape)
  engine.rows({
    entry: "layerNorm",
    rows,
    operands: [
      reading(x, 4 * columns),
      shared(weight),
      shared(bias),
      writing(outputs.y, 4 * columns),
      writing(outputs.mean, 4),
      writing(outputs.inverseDeviation, 4)
    ],
    scalars: [columns, attributes.epsilon]
  })
}

export const nativeGradient: NativeBody<
  "x" | "weight" | "mean" | "inverseDeviation" | "dy",
  "dx" | "dweight" | "dbias"
> = (engine, { inputs, outputs: { dx, dweight, dbias } }) => {
  const { x, weight, mean, inverseDeviation, dy } = inputs
  const { rows, columns } = asMatrix(x.shape)
  engine.rows({
    entry: "layerNormGradient",
    rows,
    operands: [
      reading(x, 4 * columns),
      shared(weight),
      reading(mean, 4),
      reading(inverseDeviation, 4),
      reading(dy, 4 * columns),
      writing(dx, 4 * columns)
    ],
    partials: [rowSums(dweight, columns), rowSums(dbias, columns)],
    scalars: [columns]
  })
}
