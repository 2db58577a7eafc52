import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { asMatrix } from "../../Shape.ts"

export const native: NativeBody = (engine, { inputs: { x, weight, bias }, outputs: { y } }) => {
  const { rows: m, columns: k } = asMatrix(x!.shape)
  engine.product({
    batch: 1,
    m,
    n: weight!.shape[0]!,
    k,
    a: { operand: x!, transposed: false },
    b: { operand: weight!, transposed: true, sharedByBatch: true },
    c: y!,
    bias
  })
}
