import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { type DynamicCodesAttributes, dynamicBlock, dynamicBook } from "./geometry.ts"

const f = Math.fround

/** scale = the largest magnitude of a block; code = the level nearest to x / scale, the upper one of two as near. */
export const reference = (
  { x, codes, scales }: Arrays<"x" | "codes" | "scales">,
  _outputs: Arrays<never>,
  _geometry: Geometry<"x" | "codes" | "scales", never>,
  attributes: DynamicCodesAttributes
): void => {
  const { thresholds } = dynamicBook(attributes)
  for (let block = 0; block < scales.length; block++) {
    const first = block * dynamicBlock
    const own = x.subarray(first, first + dynamicBlock)
    const scale = own.reduce((most, value) => Math.max(most, f(Math.abs(value))), 0)
    scales[block] = scale
    for (const [i, value] of own.entries()) {
      const quotient = scale > 0 ? f(f(value) / scale) : 0
      const code = thresholds.reduce((count, threshold) => count + Number(quotient >= threshold), 0)
      codes[first + i] = !attributes.signed && quotient > 0 ? Math.max(code, 1) : code
    }
  }
}

/** y = scale level(code) */
export const referenceValues = (
  { codes, scales }: Arrays<"codes" | "scales">,
  { y }: Arrays<"y">,
  _geometry: Geometry<"codes" | "scales", "y">,
  attributes: DynamicCodesAttributes
): void => {
  const { levels } = dynamicBook(attributes)
  for (const [i, code] of codes.entries()) y[i] = f(scales[Math.floor(i / dynamicBlock)]! * levels[code]!)
}
