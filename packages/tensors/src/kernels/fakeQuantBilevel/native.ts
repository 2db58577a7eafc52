import {
  type NativeBody,
  type RowOperand,
  reading,
  scattered,
  shared,
  writing
} from "../../backends/native/NativeBody.ts"
import { type BilevelAttributes, bilevelExtents } from "./geometry.ts"

const format = ({ secondLevel, commonScale }: BilevelAttributes): number =>
  secondLevel === "f16" ? 0 : commonScale === "exact" ? 1 : 2

const coarse = ({ arithmetic }: BilevelAttributes): number => (arithmetic === "bf16" ? 1 : 0)

/** Second-level group by second-level group: any extents and arithmetic. Operands: values, scales, zeros, steps, origins. */
const byGroups = (
  [engine, { inputs, attributes }]: Parameters<NativeBody>,
  written: readonly (RowOperand | undefined)[],
  codes: boolean
): void => {
  const settings = attributes as BilevelAttributes
  const { rows, columns, scaleGroups } = bilevelExtents("bilevel", inputs.weight!.shape, settings)
  const { bits, group, scaleGroup } = settings
  engine.rows({
    entry: "bilevelGroups",
    rows: scaleGroups,
    operands: [shared(inputs.weight), ...written],
    scalars: [rows, columns, group, scaleGroup, 2 ** bits - 1, format(settings), coarse(settings), codes ? 1 : 0],
    workPerRow: 32 * group * scaleGroup
  })
}

export const native: NativeBody = (engine, call) => {
  const { inputs, outputs, attributes } = call
  const settings = attributes as BilevelAttributes
  const { bits, group, scaleGroup, arithmetic } = settings
  const { rows, columns } = bilevelExtents("fakeQuantBilevel", inputs.weight!.shape, settings)
  if (arithmetic !== "f32" || group % 4 !== 0 || rows % scaleGroup !== 0) {
    const { y, scale, zero } = outputs
    byGroups([engine, call], [scattered(y), scattered(scale), scattered(zero), undefined, undefined], false)
    return
  }
  engine.rows({
    entry: "bilevelBlocks",
    rows,
    operands: [
      reading(inputs.weight, 4 * columns),
      writing(outputs.y, 4 * columns),
      scattered(outputs.scale),
      scattered(outputs.zero)
    ],
    scalars: [rows, columns, group, scaleGroup, 2 ** bits - 1, format(settings)],
    together: scaleGroup
  })
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

export const nativeCodes: NativeBody = (engine, call) => {
  const { codes, zeros, scaleCodes, step, origin } = call.outputs
  byGroups([engine, call], [codes, scaleCodes, zeros, step, origin].map(scattered), true)
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
