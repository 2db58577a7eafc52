import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import type { SquaredErrorAttributes } from "./geometry.ts"

/** loss = factor sum of weight (a - b)^2 */
export const reference = (
  { a, b, weight }: Arrays<"a" | "b" | "weight">,
  { loss }: Arrays<"loss">,
  _geometry: Geometry<string, string>,
  { factor }: SquaredErrorAttributes
): void => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (weight?.[i] ?? 1) * (a[i]! - b[i]!) ** 2
  loss[0] = factor * sum
}

/** da = 2 factor dloss weight (a - b) */
export const referenceGradient = (
  { a, b, weight, dloss }: Arrays<"a" | "b" | "weight" | "dloss">,
  { da }: Arrays<"da">,
  _geometry: Geometry<string, string>,
  { factor }: SquaredErrorAttributes
): void => {
  for (let i = 0; i < a.length; i++) da[i] = 2 * factor * dloss[0]! * (weight?.[i] ?? 1) * (a[i]! - b[i]!)
}
