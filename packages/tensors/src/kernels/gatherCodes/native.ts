import { indices, type NativeBody, reading, shared, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import { expectRows } from "../shapeRules.ts"
import type { GatherCodesAttributes } from "./geometry.ts"

export const native: NativeBody = (engine, { inputs: { packed, index }, outputs: { codes }, attributes }) => {
  const { bits, rows, columns } = attributes as GatherCodesAttributes
  expectRows("gatherCodes", "index", indices(engine, index!), rows)
  engine.rows({
    entry: "gatherCodes",
    rows: sizeOf(index!.shape),
    operands: [shared(packed), reading(index, 4), writing(codes, columns)],
    scalars: [columns, bits, sizeOf(packed!.shape)]
  })
}
