/** Refuses weights that are not numbers before they spoil scales. */
import type { Tensor } from "@speedq/tensors"
import { NonFiniteWeight } from "./Errors.ts"

/** Raises NonFiniteWeight, with counts and the first place, when a weight has NaN or infinite entries. */
export const assertFinite = async (layer: string, weight: Tensor): Promise<void> => {
  const values = await weight.read()
  let nan = 0
  let infinite = 0
  let first = -1
  for (const [index, value] of values.entries()) {
    if (Number.isFinite(value)) continue
    if (first < 0) first = index
    if (Number.isNaN(value)) nan++
    else infinite++
  }
  if (first < 0) return
  const columns = weight.shape.at(-1) ?? 1
  throw new NonFiniteWeight({ layer, nan, infinite, firstIndex: [Math.floor(first / columns), first % columns] })
}
