/** Attributes and extents of a product with a weight that is held as codes. */
import { InvalidAttribute, ShapeMismatch } from "../../core/Errors.ts"
import { asMatrix, type Shape } from "../../core/Shape.ts"
import { expectAxes, expectRank, expectShape } from "../operands/shapeRules.ts"

export interface LinearCodesAttributes {
  /** Bits of a code: 2 or 4, so that none crosses a byte. */
  readonly bits: number
}

/** Codes that one step decodes; groups are multiples of it. */
const codesTogether = 8

const isBits = (bits: number): boolean => bits === 2 || bits === 4
const isGroup = (group: number): boolean => group > 0 && group % codesTogether === 0

/** Whether weights of `bits` bits and groups of `group` inputs can stay codes in a product. */
export const multipliesCodes = (bits: number, group: number): boolean => isBits(bits) && isGroup(group)

interface LinearCodesExtents {
  /** Rows of x. */
  readonly m: number
  /** Outputs. */
  readonly n: number
  /** Inputs. */
  readonly k: number
  /** Inputs that share a scale. */
  readonly group: number
}

/** x [..., K], codes u8 [N K bits / 8], scale and zero [N, K / g]. Raises ShapeMismatch and InvalidAttribute. */
export const linearCodesExtents = (
  { x, codes, scale, zero }: { readonly [K in "x" | "codes" | "scale" | "zero"]: Shape },
  { bits }: LinearCodesAttributes
): LinearCodesExtents => {
  const kernel = "linearCodes"
  if (!isBits(bits)) throw new InvalidAttribute(kernel, "bits", bits, "2 or 4")
  expectRank(kernel, "x", x, 1)
  expectAxes(kernel, "scale", scale, 2)
  expectShape(kernel, "zero", zero, scale)
  const { rows: m, columns: k } = asMatrix(x)
  const [n, groups] = scale as readonly [number, number]
  const group = k / groups
  if (!isGroup(group)) {
    const wanted = `[N, G] with ${k} inputs in G groups of a multiple of ${codesTogether}`
    throw new ShapeMismatch(kernel, "scale", wanted, scale)
  }
  expectShape(kernel, "codes", codes, [(n * k * bits) / 8])
  return { m, n, k, group }
}
