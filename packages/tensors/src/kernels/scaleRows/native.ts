import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"

export const native: NativeBody = (engine, { inputs: { x, factors }, outputs: { y } }) => {
  const [rows = 0, ...rest] = x!.shape
  const columns = sizeOf(rest)
  const operands = [reading(x, 4 * columns), reading(factors, 4), writing(y, 4 * columns)]
  engine.rows({ entry: "scaleRows", rows, operands, scalars: [columns] })
}
