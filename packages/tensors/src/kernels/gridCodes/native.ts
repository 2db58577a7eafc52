import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { groupOperands } from "../groups/groupOperands.ts"
import type { GridAttributes, GridCodesAttributes } from "./geometry.ts"

export const native: NativeBody<"weight" | "scale" | "zero", "codes", GridCodesAttributes> = (
  engine,
  { inputs: { weight, scale, zero }, outputs: { codes }, attributes: { bits, arithmetic = "f32" } }
) => {
  const group = weight.shape[1]! / scale.shape[1]!
  const { rows, read, write } = groupOperands(scale, group)
  engine.rows({
    entry: "gridCodes",
    rows,
    operands: [read(weight), read(scale), read(zero), write(codes)],
    scalars: [group, 2 ** bits - 1, arithmetic === "f16" ? 1 : 0]
  })
}

export const nativeDecode: NativeBody<"codes" | "scale" | "zero", "y", GridAttributes> = (
  engine,
  { inputs: { codes, scale, zero }, outputs: { y } }
) => {
  const group = codes.shape[1]! / scale.shape[1]!
  const { rows, read, write } = groupOperands(scale, group)
  const operands = [read(codes), read(scale), read(zero), write(y)]
  engine.rows({ entry: "gridDecode", rows, operands, scalars: [group] })
}
