import type { Arrays, Geometry } from "../../Kernel.ts"
import type { MatmulAttributes } from "../matmul/geometry.ts"
import { reference as product } from "../matmul/reference.ts"

/** target[m, n] += sum over k of a[m, k] b[k, n] */
export const reference = (
  { a, b, target }: Arrays<"a" | "b" | "target">,
  _outputs: Arrays<never>,
  { inputs }: Geometry<"a" | "b" | "target", never>,
  attributes: MatmulAttributes
): void => {
  const y = new Float64Array(target.length)
  product({ a, b }, { y }, { inputs, outputs: { y: inputs.target } }, attributes)
  for (let i = 0; i < y.length; i++) target[i]! += y[i]!
}
