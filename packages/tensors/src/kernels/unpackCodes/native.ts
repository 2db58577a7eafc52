import { type NativeBody, shared, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import type { UnpackCodesAttributes } from "./definition.ts"

export const native: NativeBody = (engine, { inputs: { packed }, outputs: { codes }, attributes }) => {
  const { bits } = attributes as UnpackCodesAttributes
  const operands = [shared(packed), writing(codes, 1)]
  engine.rows({ entry: "unpackCodes", rows: sizeOf(codes!.shape), operands, scalars: [bits, sizeOf(packed!.shape)] })
}
