import { type NativeBody, reading, rowSums, shared, writing } from "../../backends/native/NativeBody.ts"
import { asMatrix, sizeOf } from "../../Shape.ts"

export const native: NativeBody = (engine, { inputs: { a, b }, outputs: { y } }) => {
  const columns = sizeOf(b!.shape)
  const operands = [reading(a, 4 * columns), shared(b), writing(y, 4 * columns)]
  engine.rows({ entry: "addRow", rows: a!.shape[0]!, operands, scalars: [columns] })
}

export const nativeColumnSums: NativeBody = (engine, { inputs: { x }, outputs: { y } }) => {
  const { rows, columns } = asMatrix(x!.shape)
  engine.rows({
    entry: "columnSums",
    rows,
    operands: [reading(x, 4 * columns)],
    partials: [rowSums(y, columns)],
    scalars: [columns]
  })
}
