import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { groupOperands } from "../groups/groupOperands.ts"
import type { AdaroundWeightAttributes } from "./geometry.ts"

export const native: NativeBody<"weight" | "scale" | "zero" | "alpha", "y", AdaroundWeightAttributes> = (
  engine,
  { inputs: { weight, scale, zero, alpha }, outputs: { y }, attributes }
) => {
  const { bits, group, hard } = attributes
  const { rows, read, write } = groupOperands(scale, group)
  engine.rows({
    entry: "adaroundWeight",
    rows,
    operands: [read(weight), read(scale), read(zero), read(alpha), write(y)],
    scalars: [group, 2 ** bits - 1, hard ? 1 : 0]
  })
}

export const nativeGradient: NativeBody<
  "weight" | "scale" | "zero" | "alpha" | "dy",
  "dalpha",
  AdaroundWeightAttributes
> = (engine, { inputs, outputs: { dalpha }, attributes }) => {
  const { dy, weight, scale, zero, alpha } = inputs
  const { bits, group } = attributes
  const { rows, read, write } = groupOperands(scale, group)
  engine.rows({
    entry: "adaroundWeightGradient",
    rows,
    operands: [read(dy), read(weight), read(scale), read(zero), read(alpha), write(dalpha)],
    scalars: [group, 2 ** bits - 1]
  })
}
