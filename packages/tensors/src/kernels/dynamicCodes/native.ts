import { type NativeBody, type NativeEngine, reading, shared, writing } from "../../backends/native/NativeBody.ts"
import type { Operand } from "../../core/Operand.ts"
import { sizeOf } from "../../core/Shape.ts"
import { type DynamicCodesAttributes, dynamicBlock, dynamicBook } from "./geometry.ts"

/**
 * For the upper 16 bits of an f32 in [-1, 1] the lowest code of the numbers that have them, a byte each: no two thresholds lie within
 * such a range, so that one comparison gives the code of each.
 */
const lowestCodes = (thresholds: Float32Array): Float32Array => {
  const bits = new DataView(new ArrayBuffer(4))
  const codes = Uint8Array.from({ length: 65536 }, (_, upper) => {
    // Of a negative number the lower bits make it smaller.
    bits.setUint32(0, ((upper << 16) | (upper >= 0x8000 ? 0xffff : 0)) >>> 0)
    const lowest = bits.getFloat32(0)
    return thresholds.reduce((count, threshold) => count + Number(lowest >= threshold), 0)
  })
  return new Float32Array(codes.buffer)
}

/** Thresholds with one more that none reaches, then the lowest codes. */
const tableOf = (engine: NativeEngine, attributes: DynamicCodesAttributes): Operand =>
  engine.table(`dynamic codes ${attributes.signed}`, () => {
    const { thresholds } = dynamicBook(attributes)
    return Float32Array.from([...thresholds, Number.POSITIVE_INFINITY, ...lowestCodes(thresholds)])
  })

/** The scales of blocks, each of which lies within a part. */
const whole = (operand: Operand) => ({ operand, rowBytes: 0, reads: false, writes: true })

export const native: NativeBody<"x" | "codes" | "scales", never, DynamicCodesAttributes> = (
  engine,
  { inputs: { x, codes, scales }, attributes }
) => {
  engine.rows({
    entry: "dynamicCodes",
    rows: sizeOf(x.shape),
    together: dynamicBlock,
    operands: [reading(x, 4), writing(codes, 1), whole(scales), shared(tableOf(engine, attributes))],
    scalars: [attributes.signed ? 1 : 0]
  })
}

export const nativeValues: NativeBody<"codes" | "scales", "y", DynamicCodesAttributes> = (
  engine,
  { inputs: { codes, scales }, outputs: { y }, attributes }
) => {
  const levels = engine.table(`dynamic levels ${attributes.signed}`, () => dynamicBook(attributes).levels)
  engine.rows({
    entry: "dynamicValues",
    rows: sizeOf(y.shape),
    together: dynamicBlock,
    operands: [reading(codes, 1), shared(scales), shared(levels), writing(y, 4)]
  })
}
