import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import type { UniformAttributes } from "./geometry.ts"

const roundings = ["sum", "nearestThenZero", "halfAwayThenZero"] as const

export const native: NativeBody = (engine, { inputs: { weight }, outputs: { y, scale, zero }, attributes }) => {
  const { bits, group, symmetric, rounding, roundZero } = attributes as UniformAttributes
  engine.rows({
    entry: "uniformGroups",
    rows: sizeOf(scale!.shape),
    operands: [reading(weight, 4 * group), writing(y, 4 * group), writing(scale, 4), writing(zero, 4)],
    scalars: [group, 2 ** bits - 1, symmetric ? 1 : 0, roundings.indexOf(rounding), roundZero ? 1 : 0]
  })
}

export const nativeGradient: NativeBody = (engine, { inputs, outputs: { dweight }, attributes }) => {
  const { dy, weight, scale, zero } = inputs
  const { bits, group, symmetric, rounding, rangeGradient } = attributes as UniformAttributes
  const call = {
    rows: sizeOf(scale!.shape),
    operands: [
      reading(dy, 4 * group),
      reading(weight, 4 * group),
      reading(scale, 4),
      reading(zero, 4),
      writing(dweight, 4 * group)
    ]
  }
  const levels = 2 ** bits - 1
  if (!rangeGradient) engine.rows({ ...call, entry: "uniformGradient", scalars: [group, levels] })
  else {
    const scalars = [group, levels, symmetric ? 1 : 0, roundings.indexOf(rounding)]
    engine.rows({ ...call, entry: "uniformRangeGradient", scratch: true, scalars })
  }
}
