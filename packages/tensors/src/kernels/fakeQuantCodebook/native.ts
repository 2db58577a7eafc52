import { type NativeBody, type NativeEngine, shared } from "../../backends/native/NativeBody.ts"
import type { Operand } from "../../core/Operand.ts"
import { groupOperands } from "../groups/groupOperands.ts"
import { type CodebookAttributes, codebook } from "./geometry.ts"

/** Levels, then thresholds. */
const bookOf = (engine: NativeEngine, attributes: CodebookAttributes): Operand =>
  engine.table(`codebook ${attributes.levels}`, () => {
    const { levels, thresholds } = codebook("fakeQuantCodebook", attributes)
    return Float32Array.from([...levels, ...thresholds])
  })

export const native: NativeBody<"weight", "y" | "negative" | "positive", CodebookAttributes> = (
  engine,
  { inputs: { weight }, outputs: { y, negative, positive }, attributes }
) => {
  const { rows, read, write } = groupOperands(positive, attributes.group)
  engine.rows({
    entry: "codebookGroups",
    rows,
    operands: [read(weight), shared(bookOf(engine, attributes)), write(y), write(negative), write(positive)],
    scalars: [attributes.group, attributes.levels.length]
  })
}

export const nativeGradient: NativeBody<"dy" | "weight" | "negative" | "positive", "dweight", CodebookAttributes> = (
  engine,
  { inputs, outputs: { dweight }, attributes }
) => {
  const { dy, weight, negative, positive } = inputs
  const { rows, read, write } = groupOperands(positive, attributes.group)
  const book = shared(bookOf(engine, attributes))
  engine.rows({
    entry: "codebookGradient",
    rows,
    operands: [read(dy), read(weight), read(negative), read(positive), book, write(dweight)],
    scalars: [attributes.group, attributes.levels.length]
  })
}

export const nativeCodes: NativeBody<"weight" | "negative" | "positive", "codes", CodebookAttributes> = (
  engine,
  { inputs, outputs: { codes }, attributes }
) => {
  const { weight, negative, positive } = inputs
  const { rows, read, write } = groupOperands(positive, attributes.group)
  engine.rows({
    entry: "codebookCodes",
    rows,
    operands: [read(weight), read(negative), read(positive), shared(bookOf(engine, attributes)), write(codes)],
    scalars: [attributes.group, attributes.levels.length]
  })
}

export const nativeDecode: NativeBody<"codes" | "negative" | "positive", "y", CodebookAttributes> = (
  engine,
  { inputs, outputs: { y }, attributes }
) => {
  const { codes, negative, positive } = inputs
  const { rows, read, write } = groupOperands(positive, attributes.group)
  engine.rows({
    entry: "codebookDecode",
    rows,
    operands: [read(codes), read(negative), read(positive), shared(bookOf(engine, attributes)), write(y)],
    scalars: [attributes.group]
  })
}
