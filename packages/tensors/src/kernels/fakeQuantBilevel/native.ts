import {
  type NativeBody,
  type NativeEngine,
  reading,
  scattered,
  shared,
  writing
} from "../../backends/native/NativeBody.ts"
import type { Operand } from "../../core/Operand.ts"
import { type BilevelAttributes, bilevelExtents, type CodeName, type FoundName, type SearchedName } from "./geometry.ts"

const format = ({ secondLevel, commonScale }: BilevelAttributes): number =>
  secondLevel === "f16" ? 0 : commonScale === "exact" ? 1 : 2

const coarse = ({ arithmetic }: BilevelAttributes): number => (arithmetic === "bf16" ? 1 : 0)

/** Second-level groups whose scales, zero points and codes fit the scratch of a thread. */
const mostScales = 2 ** 14

/** Quantizes to values or codes: block by block where groups and rows are even, second-level group by group otherwise. */
const quantize = (
  engine: NativeEngine,
  weight: Operand,
  [values, ...others]: readonly [values: Operand, ...others: readonly (Operand | undefined)[]],
  attributes: BilevelAttributes,
  codes: boolean
): void => {
  const { bits, group, scaleGroup, arithmetic } = attributes
  const { rows, columns, scaleGroups } = bilevelExtents("bilevel", weight.shape, attributes)
  const more = others.map((operand) => operand && scattered(operand))
  const scalars = [rows, columns, group, scaleGroup, 2 ** bits - 1, format(attributes)]
  if (arithmetic === "f32" && group % 4 === 0 && rows % scaleGroup === 0 && scaleGroup <= mostScales) {
    engine.rows({
      entry: "bilevelBlocks",
      rows,
      together: scaleGroup,
      scratch: true,
      operands: [reading(weight, 4 * columns), writing(values, (codes ? 1 : 4) * columns), ...more],
      scalars: [...scalars, codes ? 1 : 0]
    })
    return
  }
  engine.rows({
    entry: "bilevelGroups",
    rows: scaleGroups,
    operands: [shared(weight), scattered(values), ...more],
    scalars: [...scalars, coarse(attributes), codes ? 1 : 0],
    workPerRow: 32 * group * scaleGroup
  })
}

export const native: NativeBody<"weight", "y" | "scale" | "zero", BilevelAttributes> = (
  engine,
  { inputs: { weight }, outputs: { y, scale, zero }, attributes }
) => quantize(engine, weight, [y, scale, zero, undefined, undefined], attributes, false)

export const nativeCodes: NativeBody<"weight", CodeName, BilevelAttributes> = (
  engine,
  { inputs: { weight }, outputs: { codes, zeros, scaleCodes, step, origin }, attributes }
) => quantize(engine, weight, [codes, scaleCodes, zeros, step, origin], attributes, true)

export const nativeGradient: NativeBody<"dy" | "weight" | "scale" | "zero", "dweight", BilevelAttributes> = (
  engine,
  { inputs, outputs: { dweight }, attributes }
) => {
  const { dy, weight, scale, zero } = inputs
  const { rows, columns } = bilevelExtents("fakeQuantBilevelGradient", weight.shape, attributes)
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
    scalars: [rows, columns, attributes.group, 2 ** attributes.bits - 1, coarse(attributes)]
  })
}

export const nativeDecode: NativeBody<CodeName, "y", BilevelAttributes> = (
  engine,
  { inputs, outputs: { y }, attributes }
) => {
  const { codes, zeros, scaleCodes, step, origin } = inputs
  const { rows, columns } = bilevelExtents("bilevelDecode", codes.shape, attributes, "codes")
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
    scalars: [rows, columns, attributes.group, attributes.scaleGroup, format(attributes), coarse(attributes)]
  })
}

export const nativeSearch: NativeBody<SearchedName, FoundName, BilevelAttributes> = (
  engine,
  { inputs: { weight, step, origin }, outputs: { codes, zeros, scaleCodes }, attributes }
) => {
  const { bits, group, scaleGroup } = attributes
  const { rows, columns, scaleGroups } = bilevelExtents("bilevelSearch", weight.shape, attributes)
  engine.rows({
    entry: "bilevelSearch",
    rows: scaleGroups,
    operands: [shared(weight), shared(step), shared(origin), scattered(codes), scattered(scaleCodes), scattered(zeros)],
    scalars: [rows, columns, group, scaleGroup, 2 ** bits - 1, format(attributes), coarse(attributes)],
    workPerRow: 256 * 2 ** bits * group * scaleGroup
  })
}
