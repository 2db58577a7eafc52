/** Extents of a product. */
import { ShapeMismatch } from "../../core/Errors.ts"
import { formatShape, type Shape, sameShape, sizeOf } from "../../core/Shape.ts"
import { expectRank } from "../operands/shapeRules.ts"

export interface MatmulAttributes {
  readonly transposeA: boolean
  readonly transposeB: boolean
  /** "f32": exact factors, whatever the backend multiplies in. Absent: the backend's arithmetic. */
  readonly arithmetic?: "f32"
}

export interface ProductSize {
  readonly batch: number
  /** Whether b is one matrix for the whole batch. */
  readonly sharedB: boolean
  readonly m: number
  readonly k: number
  readonly n: number
}

const rowsAndColumns = (shape: Shape, transposed: boolean): readonly [number, number] => {
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!]
  return transposed ? [columns, rows] : [rows, columns]
}

/** Extents of the product. Raises ShapeMismatch. */
export const productSize = (kernel: string, a: Shape, b: Shape, attributes: MatmulAttributes): ProductSize => {
  expectRank(kernel, "a", a, 2)
  expectRank(kernel, "b", b, 2)
  const [m, k] = rowsAndColumns(a, attributes.transposeA)
  const [inner, n] = rowsAndColumns(b, attributes.transposeB)
  const batchA = a.slice(0, -2)
  const batchB = b.slice(0, -2)
  if (inner !== k) throw new ShapeMismatch(kernel, "b", `${k} inner elements to match "a" ${formatShape(a)}`, b)
  if (batchB.length > 0 && !sameShape(batchA, batchB)) {
    throw new ShapeMismatch(kernel, "b", `batch ${formatShape(batchA)} as "a", or none`, b)
  }
  return { batch: sizeOf(batchA), sharedB: batchB.length === 0, m, k, n }
}
