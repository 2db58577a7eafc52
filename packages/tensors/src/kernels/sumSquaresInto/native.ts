import { type NativeBody, reading, total } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"

export const native: NativeBody = (engine, { inputs }) => {
  const { x } = inputs
  const partials = [total(inputs.total, { accumulate: true })]
  engine.rows({ entry: "sumSquares", rows: sizeOf(x!.shape), operands: [reading(x, 4)], partials })
}
