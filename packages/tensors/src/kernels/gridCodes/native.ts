import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import type { GridCodesAttributes } from "./geometry.ts"

export const native: NativeBody = (engine, { inputs: { weight, scale, zero }, outputs: { codes }, attributes }) => {
  const group = weight!.shape[1]! / scale!.shape[1]!
  const { bits, arithmetic = "f32" } = attributes as GridCodesAttributes
  engine.rows({
    entry: "gridCodes",
    rows: sizeOf(scale!.shape),
    operands: [reading(weight, 4 * group), reading(scale, 4), reading(zero, 4), writing(codes, group)],
    scalars: [group, 2 ** bits - 1, arithmetic === "f16" ? 1 : 0]
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
