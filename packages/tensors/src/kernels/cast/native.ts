import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { elementBytes } from "../../DType.ts"
import { sizeOf } from "../../Shape.ts"

const codes: { readonly [dtype: string]: number } = { f32: 0, bf16: 1, f16: 2 }

export const native: NativeBody = (engine, { inputs: { x }, outputs: { y } }) => {
  engine.rows({
    entry: "cast",
    rows: sizeOf(x!.shape),
    operands: [reading(x, elementBytes(x!.dtype)), writing(y, elementBytes(y!.dtype))],
    scalars: [codes[x!.dtype]!, codes[y!.dtype]!]
  })
}
