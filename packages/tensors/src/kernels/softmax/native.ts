import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { asMatrix } from "../../Shape.ts"

export const native: NativeBody = (engine, { inputs: { x }, outputs: { y } }) => {
  const { rows, columns } = asMatrix(x!.shape)
  const operands = [reading(x, 4 * columns), writing(y, 4 * columns)]
  engine.rows({ entry: "softmax", rows, operands, scalars: [columns] })
}

export const nativeGradient: NativeBody = (engine, { inputs: { y, dy }, outputs: { dx } }) => {
  const { rows, columns } = asMatrix(y!.shape)
  const operands = [reading(y, 4 * columns), reading(dy, 4 * columns), writing(dx, 4 * columns)]
  engine.rows({ entry: "softmaxGradient", rows, operands, scalars: [columns] })
}
