import type { Operand } from "../../Backend.ts"
import { type NativeBody, type NativeEngine, reading, shared, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import { type CodebookAttributes, codebook } from "./geometry.ts"

/** Levels, then thresholds. */
const bookOf = (engine: NativeEngine, attributes: CodebookAttributes): Operand =>
  engine.table(`codebook ${attributes.levels}`, () => {
    const { levels, thresholds } = codebook("fakeQuantCodebook", attributes)
    return Float32Array.from([...levels, ...thresholds])
  })

export const native: NativeBody = (engine, { inputs: { weight }, outputs: { y, negative, positive }, attributes }) => {
  const { group, levels } = attributes as CodebookAttributes
  engine.rows({
    entry: "codebookGroups",
    rows: sizeOf(positive!.shape),
    operands: [
      reading(weight, 4 * group),
      shared(bookOf(engine, attributes as CodebookAttributes)),
      writing(y, 4 * group),
      writing(negative, 4),
      writing(positive, 4)
    ],
    scalars: [group, levels.length]
  })
}

export const nativeGradient: NativeBody = (engine, { inputs, outputs: { dweight }, attributes }) => {
  const { dy, weight, negative, positive } = inputs
  const { group, levels } = attributes as CodebookAttributes
  engine.rows({
    entry: "codebookGradient",
    rows: sizeOf(positive!.shape),
    operands: [
      reading(dy, 4 * group),
      reading(weight, 4 * group),
      reading(negative, 4),
      reading(positive, 4),
      shared(bookOf(engine, attributes as CodebookAttributes)),
      writing(dweight, 4 * group)
    ],
    scalars: [group, levels.length]
  })
}

export const nativeCodes: NativeBody = (engine, { inputs, outputs: { codes }, attributes }) => {
  const { weight, negative, positive } = inputs
  const { group, levels } = attributes as CodebookAttributes
  engine.rows({
    entry: "codebookCodes",
    rows: sizeOf(positive!.shape),
    operands: [
      reading(weight, 4 * group),
      reading(negative, 4),
      reading(positive, 4),
      shared(bookOf(engine, attributes as CodebookAttributes)),
      writing(codes, group)
    ],
    scalars: [group, levels.length]
  })
}

export const nativeDecode: NativeBody = (
  engine,
  { inputs: { codes, negative, positive }, outputs: { y }, attributes }
) => {
  const { group } = attributes as CodebookAttributes
  engine.rows({
    entry: "codebookDecode",
    rows: sizeOf(positive!.shape),
    operands: [
      reading(codes, group),
      reading(negative, 4),
      reading(positive, 4),
      shared(bookOf(engine, attributes as CodebookAttributes)),
      writing(y, 4 * group)
    ],
    scalars: [group]
  })
}
