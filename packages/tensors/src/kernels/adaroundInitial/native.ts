import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"

export const native: NativeBody = (engine, { inputs: { weight, scale }, outputs: { alpha } }) => {
  const group = weight!.shape[1]! / scale!.shape[1]!
  const operands = [reading(weight, 4 * group), reading(scale, 4), writing(alpha, 4 * group)]
  engine.rows({ entry: "adaroundInitial", rows: sizeOf(scale!.shape), operands, scalars: [group] })
}
