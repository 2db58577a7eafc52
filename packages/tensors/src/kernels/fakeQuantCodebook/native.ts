import type { Operand } from "../../Backend.ts"
import { type NativeBody, type NativeEngine, shared } from "../../backends/native/NativeBody.ts"
import { groupOperands } from "../groups/groupOperands.ts"
import { type CodebookAttributes, codebook } from "./geometry.ts"

/** Levels, then thresholds. */
const bookOf = (engine: NativeEngine, attributes: CodebookAttributes): Operand =>
  engine.table(`codebook ${attributes.levels}`, () => {
    const { levels, thresholds } = codebook("fakeQuantCodebook", attributes)
    return Float32Array.from([...levels, ...thresholds])
  })

export const native: NativeBody = (engine, { inputs: { weight }, outputs: { y, negative, positive }, attributes }) => {
  const settings = attributes as CodebookAttributes
  const { rows, read, write } = groupOperands(positive!, settings.group)
  engine.rows({
    entry: "codebookGroups",
    rows,
    operands: [read(weight!), shared(bookOf(engine, settings)), write(y!), write(negative!), write(positive!)],
    scalars: [settings.group, settings.levels.length]
  })
}

export const nativeGradient: NativeBody = (engine, { inputs, outputs: { dweight }, attributes }) => {
  const { dy, weight, negative, positive } = inputs
  const settings = attributes as CodebookAttributes
  const { rows, read, write } = groupOperands(positive!, settings.group)
  const book = shared(bookOf(engine, settings))
  engine.rows({
    entry: "codebookGradient",
    rows,
    operands: [read(dy!), read(weight!), read(negative!), read(positive!), book, write(dweight!)],
    scalars: [settings.group, settings.levels.length]
  })
}

export const nativeCodes: NativeBody = (engine, { inputs, outputs: { codes }, attributes }) => {
  const { weight, negative, positive } = inputs
  const settings = attributes as CodebookAttributes
  const { rows, read, write } = groupOperands(positive!, settings.group)
  engine.rows({
    entry: "codebookCodes",
    rows,
    operands: [read(weight!), read(negative!), read(positive!), shared(bookOf(engine, settings)), write(codes!)],
    scalars: [settings.group, settings.levels.length]
  })
}

export const nativeDecode: NativeBody = (engine, { inputs, outputs: { y }, attributes }) => {
  const { codes, negative, positive } = inputs
  const settings = attributes as CodebookAttributes
  const { rows, read, write } = groupOperands(positive!, settings.group)
  engine.rows({
    entry: "codebookDecode",
    rows,
    operands: [read(codes!), read(negative!), read(positive!), shared(bookOf(engine, settings)), write(y!)],
    scalars: [settings.group]
  })
}
