import { indexNumbers, type NativeBody, reading, revised, writing } from "../../backends/native/NativeBody.ts"
import { expectDistinctRows, expectRows } from "../operands/shapeRules.ts"

export const nativeReplace: NativeBody<"base" | "rows" | "index", "y"> = (
  engine,
  { inputs: { base, rows, index }, outputs: { y } }
) => {
  const [count, columns] = base.shape as readonly [number, number]
  expectDistinctRows("replaceRows", "index", indexNumbers(engine, index), count)
  const whole = [reading(base, 4 * columns), writing(y, 4 * columns)]
  engine.rows({ entry: "copyRows", rows: count, operands: whole, scalars: [4 * columns] })
  const operands = [reading(rows, 4 * columns), reading(index, 4), revised(y)]
  engine.rows({ entry: "writeRows", rows: rows.shape[0]!, operands, scalars: [columns] })
}

export const nativeZero: NativeBody<"x" | "index", "y"> = (engine, { inputs: { x, index }, outputs: { y } }) => {
  const [count, columns] = x.shape as readonly [number, number]
  expectRows("zeroRows", "index", indexNumbers(engine, index), count)
  const whole = [reading(x, 4 * columns), writing(y, 4 * columns)]
  engine.rows({ entry: "copyRows", rows: count, operands: whole, scalars: [4 * columns] })
  const operands = [reading(index, 4), revised(y)]
  // Two parts may zero one row when it is named twice: they write the same.
  engine.rows({ entry: "zeroRows", rows: index.shape[0]!, operands, scalars: [columns] })
}
