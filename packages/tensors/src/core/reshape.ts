/** Another shape over the same elements: a view, never a copy. */
import { currentTape } from "../autodiff/Tape.ts"
import { NotDifferentiable, ShapeMismatch } from "./Errors.ts"
import { formatShape, type Shape, sizeOf } from "./Shape.ts"
import { Tensor } from "./Tensor.ts"

/** Views `x` under `shape`, which must hold as many elements. */
export const reshape = (x: Tensor, shape: Shape): Tensor => {
  x.assertLive("reshape", "x")
  if (sizeOf(shape) !== x.size) {
    throw new ShapeMismatch("reshape", "x", `${sizeOf(shape)} elements for ${formatShape(shape)}`, x.shape)
  }
  const view = new Tensor(x.storage, shape)
  currentTape()?.record("reshape", [x], [view], [], ([cotangent]) => [cotangent && reshape(cotangent, x.shape)])
  return view
}

/** The first `rows` rows of `x` [R, ...]: a view, never a copy. A constant for differentiation. */
export const leadingRows = (x: Tensor, rows: number): Tensor => {
  x.assertLive("leadingRows", "x")
  const [count = 0, ...rest] = x.shape
  if (rows > count || x.shape.length === 0)
    throw new ShapeMismatch("leadingRows", "x", `at least ${rows} rows`, x.shape)
  if (currentTape()?.variableOf(x)) throw new NotDifferentiable("leadingRows", "has no gradient; use gatherRows")
  return new Tensor(x.storage, [rows, ...rest])
}
