import { indexNumbers, type NativeBody, reading, shared, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../core/Shape.ts"
import { expectRows } from "../operands/shapeRules.ts"
import type { ScatterAttributes } from "./geometry.ts"

const codes: { readonly [dtype: string]: number } = { f32: 0, bf16: 1, f16: 2 }

export const nativeGather: NativeBody<"table" | "index", "y"> = (
  engine,
  { inputs: { table, index }, outputs: { y } }
) => {
  const [count, columns] = table.shape as readonly [number, number]
  expectRows("gatherRows", "index", indexNumbers(engine, index), count)
  engine.rows({
    entry: "gatherRows",
    rows: sizeOf(index.shape),
    operands: [shared(table), reading(index, 4), writing(y, 4 * columns)],
    scalars: [columns, codes[table.dtype]!]
  })
}

export const nativeScatterAdd: NativeBody<"rows" | "index", "y", ScatterAttributes> = (
  engine,
  { inputs: { rows, index }, outputs: { y } }
) => {
  const [count, columns] = y.shape as readonly [number, number]
  expectRows("scatterAddRows", "index", indexNumbers(engine, index), count)
  engine.rows({
    entry: "scatterAddRows",
    rows: count,
    operands: [shared(rows), shared(index), writing(y, 4 * columns)],
    scalars: [columns, sizeOf(index.shape)]
  })
}
