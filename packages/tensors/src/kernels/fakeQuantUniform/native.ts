import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { groupOperands } from "../groups/groupOperands.ts"
import type { UniformAttributes } from "./geometry.ts"

const roundings = ["sum", "nearestThenZero", "halfAwayThenZero"] as const

export const native: NativeBody<"weight", "y" | "scale" | "zero", UniformAttributes> = (
  engine,
  { inputs: { weight }, outputs: { y, scale, zero }, attributes }
) => {
  const { bits, group, symmetric, rounding, roundZero } = attributes
  const { rows, read, write } = groupOperands(scale, group)
  engine.rows({
    entry: "uniformGroups",
    rows,
    operands: [read(weight), write(y), write(scale), write(zero)],
    scalars: [group, 2 ** bits - 1, symmetric ? 1 : 0, roundings.indexOf(rounding), roundZero ? 1 : 0]
  })
}

export const nativeGradient: NativeBody<"dy" | "weight" | "scale" | "zero", "dweight", UniformAttributes> = (
  engine,
  { inputs, outputs: { dweight }, attributes }
) => {
  const { dy, weight, scale, zero } = inputs
  const { bits, group, symmetric, rounding, rangeGradient } = attributes
  const { rows, read, write } = groupOperands(scale, group)
  const operands = [read(dy), read(weight), read(scale), read(zero), write(dweight)]
  const scalars = [group, 2 ** bits - 1]
  if (!rangeGradient) engine.rows({ entry: "uniformGradient", rows, operands, scalars })
  else {
    const more = [symmetric ? 1 : 0, roundings.indexOf(rounding)]
    engine.rows({ entry: "uniformRangeGradient", rows, operands, scratch: true, scalars: [...scalars, ...more] })
  }
}
