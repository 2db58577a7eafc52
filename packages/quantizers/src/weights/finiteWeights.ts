/** Refuses weights that would spoil scales before they do. */
import { cast, type HostArray, keep, type Tensor } from "@speedq/tensors"
import { NonFiniteWeight, WeightTooLarge } from "../Errors.ts"
import type { QuantizerChoice } from "../quantizer/Quantizer.ts"

/** The weight's numbers, whatever it is stored in. */
const numbersOf = async (weight: Tensor): Promise<HostArray> => {
  if (weight.dtype === "f32") return weight.read()
  const wide = keep(cast(weight, "f32"))
  const values = await wide.read()
  wide.release()
  return values
}

/** [row, column] of element `index` of a matrix. */
const placeOf = (weight: Tensor, index: number): readonly [number, number] => {
  const columns = weight.shape.at(-1) ?? 1
  return [Math.floor(index / columns), index % columns]
}

const checkFinite = (layer: string, weight: Tensor, values: HostArray): void => {
  let nan = 0
  let infinite = 0
  let first = -1
  for (const [index, value] of values.entries()) {
    if (Number.isFinite(value)) continue
    if (first < 0) first = index
    if (Number.isNaN(value)) nan++
    else infinite++
  }
  if (first >= 0) throw new NonFiniteWeight({ layer, nan, infinite, firstIndex: placeOf(weight, first) })
}

/** Raises NonFiniteWeight, with counts and the first place, when a weight has NaN or infinite entries. */
export const assertFinite = async (layer: string, weight: Tensor): Promise<void> =>
  checkFinite(layer, weight, await numbersOf(weight))

/** Raises NonFiniteWeight, or WeightTooLarge where the scales that the choice stores would overflow. */
export const assertQuantizable = async (layer: string, weight: Tensor, choice: QuantizerChoice): Promise<void> => {
  const values = await numbersOf(weight)
  checkFinite(layer, weight, values)
  const { quantizer, config } = choice
  const limit = quantizer.largestWeight?.(config) ?? Number.POSITIVE_INFINITY
  let count = 0
  let largest = 0
  let first = -1
  for (const [index, value] of values.entries()) {
    if (Math.abs(value) <= limit) continue
    if (first < 0) first = index
    if (Math.abs(value) > Math.abs(largest)) largest = value
    count++
  }
  if (count === 0) return
  throw new WeightTooLarge({ layer, use: quantizer.id, count, largest, limit, firstIndex: placeOf(weight, first) })
}
