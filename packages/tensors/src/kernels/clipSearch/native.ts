import { type NativeBody, reading, shared, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import type { GramAttributes } from "./definition.ts"
import { type ClipSearchAttributes, candidatesPerEnd } from "./geometry.ts"

/** Group by group X^T X, then the mean over tokens. */
export const nativeGram: NativeBody = (engine, { inputs: { x }, outputs: { gram }, attributes }) => {
  const { group } = attributes as GramAttributes
  const [tokens, columns] = x!.shape as readonly [number, number]
  const slices = { operand: x!, stride: columns, batchStride: group }
  engine.product({
    batch: columns / group,
    m: group,
    n: group,
    k: tokens,
    a: { ...slices, transposed: true },
    b: { ...slices, transposed: false, sharedByBatch: false },
    c: gram!
  })
  const operands = [reading(gram, 4), writing(gram, 4)]
  engine.rows({ entry: "scale", rows: sizeOf(gram!.shape), operands, scalars: [1 / Math.max(1, tokens)] })
}

export const nativeSearch: NativeBody = (engine, { inputs: { weight, gram }, outputs, attributes }) => {
  const { bits, group, gridSize } = attributes as ClipSearchAttributes
  const [rows, columns] = weight!.shape as readonly [number, number]
  const groups = columns / group
  const candidates = candidatesPerEnd(attributes as ClipSearchAttributes)
  engine.rows({
    entry: "clipSearch",
    rows,
    operands: [
      reading(weight, 4 * columns),
      shared(gram),
      writing(outputs.max, 4 * groups),
      writing(outputs.min, 4 * groups),
      writing(outputs.error, 4 * groups),
      writing(outputs.errorUnclipped, 4 * groups)
    ],
    scalars: [groups, group, 2 ** bits - 1, gridSize, candidates],
    scratch: true,
    workPerRow: candidates ** 2 * columns * group
  })
}
