import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import type { AdaroundScalesAttributes } from "./definition.ts"

/** Bytes of traffic that the search of one weight takes as long as. */
const workPerWeight = 4096

export const native: NativeBody = (engine, { inputs: { weight }, outputs: { scale, zero }, attributes }) => {
  const { bits, group, method } = attributes as AdaroundScalesAttributes
  engine.rows({
    entry: "adaroundScales",
    rows: sizeOf(scale!.shape),
    operands: [reading(weight, 4 * group), writing(scale, 4), writing(zero, 4)],
    scalars: [group, 2 ** bits - 1, method === "max" ? 0 : 1],
    workPerRow: (method === "max" ? 4 : workPerWeight) * group
  })
}
