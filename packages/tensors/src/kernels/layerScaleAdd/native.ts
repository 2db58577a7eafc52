import { type NativeBody, reading, rowSums, shared, writing } from "../../backends/native/NativeBody.ts"
import { asMatrix } from "../../Shape.ts"

export const native: NativeBody = (engine, { inputs: { residual, x, scale }, outputs: { y } }) => {
  const { rows, columns } = asMatrix(x!.shape)
  engine.rows({
    entry: "layerScaleAdd",
    rows,
    operands: [reading(residual, 4 * columns), reading(x, 4 * columns), shared(scale), writing(y, 4 * columns)],
    scalars: [columns]
  })
}

export const nativeGradient: NativeBody = (engine, { inputs: { x, scale, dy }, outputs: { dx, dscale } }) => {
  const { rows, columns } = asMatrix(x!.shape)
  engine.rows({
    entry: "layerScaleAddGradient",
    rows,
    operands: [reading(x, 4 * columns), shared(scale), reading(dy, 4 * columns), writing(dx, 4 * columns)],
    partials: [rowSums(dscale, columns)],
    scalars: [columns]
  })
}
