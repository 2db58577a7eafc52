import { type NativeBody, shared, writing } from "../../backends/native/NativeBody.ts"

export const native: NativeBody = (engine, { inputs: { x }, outputs: { y } }) => {
  const [rows, columns] = x!.shape as readonly [number, number]
  const operands = [shared(x), writing(y, 4 * rows)]
  engine.rows({ entry: "transpose", rows: columns, operands, scalars: [rows, columns], workPerRow: 8 * rows })
}
