import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { groupOperands } from "../groups/groupOperands.ts"
import type { AdaroundScalesAttributes } from "./geometry.ts"

/** Bytes of traffic that the search of one weight takes as long as. */
const workPerWeight = 4096

export const native: NativeBody<"weight", "scale" | "zero", AdaroundScalesAttributes> = (
  engine,
  { inputs: { weight }, outputs: { scale, zero }, attributes }
) => {
  const { bits, group, method } = attributes
  const { rows, read, write } = groupOperands(scale, group)
  engine.rows({
    entry: "adaroundScales",
    rows,
    operands: [read(weight), write(scale), write(zero)],
    scalars: [group, 2 ** bits - 1, method === "max" ? 0 : 1],
    workPerRow: (method === "max" ? 4 : workPerWeight) * group
  })
}
