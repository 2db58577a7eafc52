import { type NativeBody, reading, shared, writing } from "../../backends/native/NativeBody.ts"
import { UnsupportedKernel } from "../../core/Errors.ts"
import { sizeOf } from "../../core/Shape.ts"
import { type ClipSearchAttributes, candidatesPerEnd, type GramAttributes } from "./geometry.ts"

/** Group by group X^T X, then the mean over tokens. */
export const nativeGram: NativeBody<"x", "gram", GramAttributes> = (
  engine,
  { inputs: { x }, outputs: { gram }, attributes }
) => {
  const { group } = attributes
  const [tokens, columns] = x.shape as readonly [number, number]
  const slices = { operand: x, stride: columns, batchStride: group }
  engine.product({
    arithmetic: "f32",
    batch: columns / group,
    m: group,
    n: group,
    k: tokens,
    a: { ...slices, transposed: true },
    b: { ...slices, transposed: false, sharedByBatch: false },
    c: gram
  })
  const operands = [reading(gram, 4), writing(gram, 4)]
  engine.rows({ entry: "scale", rows: sizeOf(gram.shape), operands, scalars: [1 / Math.max(1, tokens)] })
}

/** Candidates that are scored together. */
const together = 8

/** What each pair of shrinks leaves of the maximum, then of the minimum; filled up with the first pair, the whole range. */
const factorsOf = (perEnd: number, gridSize: number): Float32Array => {
  const count = together * Math.ceil(perEnd ** 2 / together)
  const factors = new Float32Array(2 * count).fill(1)
  for (let i = 0; i < perEnd ** 2; i++) {
    factors[i] = 1 - Math.floor(i / perEnd) / gridSize
    factors[count + i] = 1 - (i % perEnd) / gridSize
  }
  return factors
}

/** Bytes of traffic that a row stands for: parts of a few rows, which share the packing of gram. */
const workPerRow = 16384
/** Groups up to here have their gram packed in a thread's scratch as a whole; wider ones four rows at a time, at half the speed. */
const widestPacked = 512
/** Errors of eight candidates and four rows of gram take the whole scratch. */
const widest = 16384

export const nativeSearch: NativeBody<
  "weight" | "gram",
  "max" | "min" | "error" | "errorUnclipped",
  ClipSearchAttributes
> = (engine, { inputs: { weight, gram }, outputs, attributes }) => {
  const { bits, group, gridSize, arithmetic = "f32" } = attributes
  const [rows, columns] = weight.shape as readonly [number, number]
  const groups = columns / group
  if (group > widest)
    throw new UnsupportedKernel("clipSearch", "native", `group ${group} is more than ${widest} columns`)
  const perEnd = candidatesPerEnd(attributes)
  const factors = engine.table(`clipSearch ${perEnd} of ${gridSize}`, () => factorsOf(perEnd, gridSize))
  engine.rows({
    entry: "clipSearch",
    rows,
    operands: [
      reading(weight, 4 * columns),
      shared(gram),
      shared(factors),
      writing(outputs.max, 4 * groups),
      writing(outputs.min, 4 * groups),
      writing(outputs.error, 4 * groups),
      writing(outputs.errorUnclipped, 4 * groups)
    ],
    scalars: [
      groups,
      group,
      2 ** bits - 1,
      sizeOf(factors.shape) / 2,
      group > widestPacked ? 0 : 1,
      arithmetic === "bf16" ? 1 : 0
    ],
    scratch: true,
    workPerRow
  })
}
