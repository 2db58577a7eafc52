import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"

export const native: NativeBody = (engine, { inputs: { weight, low, high }, outputs: { y } }) => {
  const group = weight!.shape[1]! / low!.shape[1]!
  engine.rows({
    entry: "clampGroups",
    rows: sizeOf(low!.shape),
    operands: [reading(weight, 4 * group), reading(low, 4), reading(high, 4), writing(y, 4 * group)],
    scalars: [group]
  })
}
