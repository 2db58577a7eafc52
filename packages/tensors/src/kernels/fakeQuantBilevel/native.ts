import type { KernelCall, Operand } from "../../Backend.ts"
import {
  type NativeBody,
  type NativeEngine,
  reading,
  scattered,
  shared,
  writing
} from "../../backends/native/NativeBody.ts"
import { type BilevelAttributes, bilevelExtents } from "./geometry.ts"

const format = ({ secondLevel, commonScale }: BilevelAttributes): number =>
  secondLevel === "f16" ? 0 : commonScale === "exact" ? 1 : 2

const coarse = ({ arithmetic }: BilevelAttributes): number => (arithmetic === "bf16" ? 1 : 0)

/** Second-level groups whose scales, zero points and codes fit the scratch of a thread. */
const mostScales = 2 ** 14

/** Quantizes to values or codes: block by block where groups and rows are even, second-level group by group otherwise. */
const quantize = (
  engine: NativeEngine,
  { inputs: { weight }, attributes }: KernelCall,
  outputs: readonly [values: Operand | undefined, ...more: readonly (Operand | undefined)[]],
  codes: boolean
): void => {
  const settings = attributes as BilevelAttributes
  const { bits, group, scaleGroup, arithmetic } = settings
  const { rows, columns, scaleGroups } = bilevelExtents("bilevel", weight!.shape, settings)
  const [values, ...more] = outputs
  const scalars = [rows, columns, group, scaleGroup, 2 ** bits - 1, format(settings)]
  if (arithmetic === "f32" && group % 4 === 0 && rows % scaleGroup === 0 && scaleGroup <= mostScales) {
    engine.rows({
      entry: "bilevelBlocks",
      rows,
      together: scaleGroup,
      scratch: true,
      operands: [reading(weight, 4 * columns), writing(values, (codes ? 1 : 4) * columns), ...more.map(scattered)],
      scalars: [...scalars, codes ? 1 : 0]
    })
    return
  }
  engine.rows({
    entry: "bilevelGroups",
    rows: scaleGroups,
    operands: [shared(weight), scattered(values), ...more.map(scattered)],
    scalars: [...scalars, coarse(settings), codes ? 1 : 0],
    workPerRow: 32 * group * scaleGroup
  })
}

export const native: NativeBody = (engine, call) => {
  const { y, scale, zero } = call.outputs
  quantize(engine, call, [y, scale, zero, undefined, undefined], false)
}

export const nativeCodes: NativeBody = (engine, call) => {
  const { codes, zeros, scaleCodes, step, origin } = call.outputs
  quantize(engine, call, [codes, scaleCodes, zeros, step, origin], true)
}
export const nativeGradient: NativeBody = (engine, { inputs, outputs: { dweight }, attributes }) => {
  const { dy, weight, scale, zero } = inputs
  const settings = attributes as BilevelAttributes
  const { rows, columns } = bilevelExtents("fakeQuantBilevelGradient", weight!.shape, settings)
  engine.rows({
    entry: "bilevelGradient",
    rows,
    operands: [
      reading(dy, 4 * columns),
      reading(weight, 4 * columns),
      shared(scale),
      shared(zero),
      writing(dweight, 4 * columns)
    ],
    scalars: [rows, columns, settings.group, 2 ** settings.bits - 1, coarse(settings)]
  })
}

export const nativeDecode: NativeBody = (engine, { inputs, outputs: { y }, attributes }) => {
  const { codes, zeros, scaleCodes, step, origin } = inputs
  const settings = attributes as BilevelAttributes
  const { rows, columns } = bilevelExtents("bilevelDecode", codes!.shape, settings, "codes")
  engine.rows({
    entry: "bilevelDecode",
    rows,
    operands: [
      reading(codes, columns),
      shared(zeros),
      shared(scaleCodes),
      shared(step),
      shared(origin),
      writing(y, 4 * columns)
    ],
    scalars: [rows, columns, settings.group, settings.scaleGroup, format(settings), coarse(settings)]
  })
}
