import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import type { GridAttributes } from "./geometry.ts"

export const native: NativeBody = (engine, { inputs: { weight, scale, zero }, outputs: { codes }, attributes }) => {
  const group = weight!.shape[1]! / scale!.shape[1]!
  engine.rows({
    entry: "gridCodes",
    rows: sizeOf(scale!.shape),
    operands: [reading(weight, 4 * group), reading(scale, 4), reading(zero, 4), writing(codes, group)],
    scalars: [group, 2 ** (attributes as GridAttributes).bits - 1]
  })
}

export const nativeDecode: NativeBody = (engine, { inputs: { codes, scale, zero }, outputs: { y } }) => {
  const group = codes!.shape[1]! / scale!.shape[1]!
  engine.rows({
    entry: "gridDecode",
    rows: sizeOf(scale!.shape),
    operands: [reading(codes, group), reading(scale, 4), reading(zero, 4), writing(y, 4 * group)],
    scalars: [group]
  })
}
