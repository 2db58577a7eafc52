import { indices, type NativeBody, reading, revised } from "../../backends/native/NativeBody.ts"
import { expectDistinctRows } from "../shapeRules.ts"

export const native: NativeBody = (engine, { inputs: { target, rows, index } }) => {
  const [count, columns] = target!.shape as readonly [number, number]
  expectDistinctRows("writeRows", "index", indices(engine, index!), count)
  const operands = [reading(rows, 4 * columns), reading(index, 4), revised(target)]
  engine.rows({ entry: "writeRows", rows: rows!.shape[0]!, operands, scalars: [columns] })
}
