import { indexNumbers, type NativeBody, reading, updating, writing } from "../../backends/native/NativeBody.ts"
import { expectRows } from "../operands/shapeRules.ts"
import { type CrossEntropyAttributes, ignoredLabel } from "./geometry.ts"

export const native: NativeBody<"logits" | "labels", "loss", CrossEntropyAttributes, "weights" | "gradient"> = (
  engine,
  { inputs, outputs: { loss }, attributes }
) => {
  const { logits, labels, weights, gradient } = inputs
  const [rows, vocabulary] = logits.shape as readonly [number, number]
  const used = indexNumbers(engine, labels).map((label) => (label === ignoredLabel ? 0 : label))
  expectRows("crossEntropyRows", "labels", used, Math.max(1, vocabulary))
  engine.rows({
    entry: "crossEntropyRows",
    rows,
    operands: [
      reading(logits, 4 * vocabulary),
      reading(labels, 4),
      weights && reading(weights, 4),
      gradient && updating(gradient, 4 * vocabulary),
      writing(loss, 4)
    ],
    scalars: [vocabulary, ignoredLabel, attributes.smoothing]
  })
}
