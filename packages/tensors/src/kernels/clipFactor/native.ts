import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import type { ClipFactorAttributes } from "./geometry.ts"

export const native: NativeBody = (engine, { inputs: { total }, outputs: { factor, norm }, attributes }) => {
  const { maxNorm } = attributes as ClipFactorAttributes
  const operands = [reading(total, 4), writing(factor, 4), writing(norm, 4)]
  engine.rows({ entry: "clipFactor", rows: 1, operands, scalars: [maxNorm] })
}
