import type { NativeBody } from "../../backends/native/NativeBody.ts"
import type { GridAttributes } from "../gridCodes/geometry.ts"
import { groupOperands } from "../groups/groupOperands.ts"

export const native: NativeBody<"dy" | "weight" | "scale" | "zero", "dweight" | "dscale" | "dzero", GridAttributes> = (
  engine,
  { inputs: { dy, weight, scale, zero }, outputs: { dweight, dscale, dzero }, attributes: { bits } }
) => {
  const group = weight.shape[1]! / scale.shape[1]!
  const { rows, read, write } = groupOperands(scale, group)
  engine.rows({
    entry: "gridGradient",
    rows,
    operands: [read(dy), read(weight), read(scale), read(zero), write(dweight), write(dscale), write(dzero)],
    scalars: [group, 2 ** bits - 1]
  })
}
