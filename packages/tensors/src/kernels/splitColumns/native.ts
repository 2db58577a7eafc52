import { type NativeBody, reading, updating, writing } from "../../backends/native/NativeBody.ts"
import { asMatrix } from "../../core/Shape.ts"
import type { SplitAttributes } from "./geometry.ts"

const parts = ["first", "second", "third"] as const

export const nativeSplit: NativeBody<"x", "first" | "second" | "third", SplitAttributes> = (
  engine,
  { inputs: { x }, outputs }
) => {
  const { rows, columns } = asMatrix(x.shape)
  let offset = 0
  for (const name of parts) {
    const part = outputs[name]!
    const bytes = 4 * part.shape.at(-1)!
    // The part is small beside x: rows are handed out by what is copied.
    const operands = [reading(x, 4 * columns), writing(part, bytes)]
    const scalars = [4 * columns, bytes, offset, 0, bytes]
    engine.rows({ entry: "copyColumns", rows, operands, scalars, workPerRow: 2 * bytes })
    offset += bytes
  }
}

export const nativeJoin: NativeBody<"first" | "second" | "third", "y"> = (engine, { inputs, outputs: { y } }) => {
  const { rows, columns } = asMatrix(y.shape)
  let offset = 0
  for (const name of parts) {
    const part = inputs[name]!
    const bytes = 4 * part.shape.at(-1)!
    const operands = [reading(part, bytes), updating(y, 4 * columns)]
    const scalars = [bytes, 4 * columns, 0, offset, bytes]
    engine.rows({ entry: "copyColumns", rows, operands, scalars, workPerRow: 2 * bytes })
    offset += bytes
  }
}
