import { type NativeBody, reading, rowSums, shared, writing } from "../../backends/native/NativeBody.ts"
import { asMatrix } from "../../core/Shape.ts"
import type { NormAttributes } from "../layerNorm/geometry.ts"

export const native: NativeBody<"x" | "weight", "y" | "inverseRms", NormAttributes> = (
  engine,
  { inputs: { x, weight }, outputs: { y, inverseRms }, attributes }
) => {
  const { rows, columns } = asMatrix(x.shape)
  engine.rows({
    entry: "rmsNorm",
    rows,
    operands: [reading(x, 4 * columns), shared(weight), writing(y, 4 * columns), writing(inverseRms, 4)],
    scalars: [columns, attributes.epsilon]
  })
}

export const nativeGradient: NativeBody<"x" | "weight" | "inverseRms" | "dy", "dx" | "dweight"> = (
  engine,
  { inputs: { x, weight, inverseRms, dy }, outputs: { dx, dweight } }
) => {
  const { rows, columns } = asMatrix(x.shape)
  engine.rows({
    entry: "rmsNormGradient",
    rows,
    operands: [
      reading(x, 4 * columns),
      shared(weight),
      reading(inverseRms, 4),
      reading(dy, 4 * columns),
      writing(dx, 4 * columns)
    ],
    partials: [rowSums(dweight, columns)],
    scalars: [columns]
  })
}
