import { type NativeBody, reading, shared, total, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { SquaredErrorAttributes } from "./geometry.ts"

export const native: NativeBody<"a" | "b", "loss", SquaredErrorAttributes, "weight"> = (
  engine,
  { inputs: { a, b, weight }, outputs: { loss }, attributes }
) => {
  const { factor } = attributes
  engine.rows({
    entry: "squaredError",
    rows: sizeOf(a.shape),
    operands: [reading(a, 4), reading(b, 4), weight && reading(weight, 4)],
    partials: [total(loss, { factor })]
  })
}

export const nativeGradient: NativeBody<"a" | "b" | "dloss", "da", SquaredErrorAttributes, "weight"> = (
  engine,
  { inputs: { a, b, weight, dloss }, outputs: { da }, attributes }
) => {
  const { factor } = attributes
  engine.rows({
    entry: "squaredErrorGradient",
    rows: sizeOf(a.shape),
    operands: [reading(a, 4), reading(b, 4), weight && reading(weight, 4), shared(dloss), writing(da, 4)],
    scalars: [2 * factor]
  })
}
