import { type NativeBody, reading, updating, writing } from "../../backends/native/NativeBody.ts"
import type { KlAttributes } from "./geometry.ts"

export const native: NativeBody<"student" | "teacher", "forward" | "reverse", KlAttributes, "weights" | "gradient"> = (
  engine,
  { inputs, outputs: { forward, reverse }, attributes }
) => {
  const { student, teacher, weights, gradient } = inputs
  const { beta, temperature } = attributes
  const [rows, vocabulary] = student.shape as readonly [number, number]
  engine.rows({
    entry: "klRows",
    rows,
    operands: [
      reading(student, 4 * vocabulary),
      reading(teacher, 4 * vocabulary),
      weights && reading(weights, 4),
      gradient && updating(gradient, 4 * vocabulary),
      writing(forward, 4),
      writing(reverse, 4)
    ],
    scalars: [vocabulary, beta, temperature]
  })
}
