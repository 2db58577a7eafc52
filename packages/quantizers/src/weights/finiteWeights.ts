/** Refuses weights that would spoil scales before they do. */
import { countNonFinite, decodeFloats, fileDtype, indexIn, largestMagnitude } from "@speedq/formats"
import type { Tensor } from "@speedq/tensors"
import { NonFiniteWeight, WeightTooLarge } from "../Errors.ts"
import type { QuantizerChoice } from "../quantizer/Quantizer.ts"

/** A weight's bytes, where they lie if the backend allows that, and how they are to be read. */
const bytesOf = async (weight: Tensor) => {
  const { dtype, size } = weight
  if (dtype !== "f32" && dtype !== "bf16" && dtype !== "f16") throw new RangeError(`a weight of ${dtype}`)
  weight.assertLive("check", "weight")
  const bytes = await weight.backend.read(weight.storage.handle)
  return { dtype: fileDtype[dtype], bytes: bytes.subarray(0, size * (dtype === "f32" ? 4 : 2)) }
}

type Bytes = Awaited<ReturnType<typeof bytesOf>>

/** Why weights that hold no number, or one beyond the limit, are refused: the slow look at each of them. */
const faultOf = (layer: string, { shape }: Tensor, { dtype, bytes }: Bytes, use: string, limit: number) => {
  const values = decodeFloats(dtype, bytes)
  const found = countNonFinite(shape, [values])
  if (found !== undefined) return new NonFiniteWeight({ layer, ...found })
  const beyond = (value: number) => Math.abs(value) > limit
  const firstIndex = indexIn(shape, values.findIndex(beyond))
  let [count, largest] = [0, 0]
  for (const value of values) {
    if (beyond(value)) count++
    if (Math.abs(value) > Math.abs(largest)) largest = value
  }
  return new WeightTooLarge({ layer, use, count, largest, limit, firstIndex })
}

const largestFinite = Number.MAX_VALUE

/** The largest magnitude of a weight's numbers: NaN where one is, infinity where one is. */
export const magnitudeOf = async (weight: Tensor): Promise<number> => {
  const { dtype, bytes } = await bytesOf(weight)
  return largestMagnitude(dtype, bytes)
}

/** Raises NonFiniteWeight, with counts and the first place, when a weight has NaN or infinite entries. */
export const assertFinite = async (layer: string, weight: Tensor): Promise<void> => {
  if (Number.isFinite(await magnitudeOf(weight))) return
  throw faultOf(layer, weight, await bytesOf(weight), "", largestFinite)
}

/** Raises NonFiniteWeight, or WeightTooLarge where the scales that the choice stores would overflow. */
export const assertQuantizable = async (
  layer: string,
  weight: Tensor,
  { quantizer, config }: QuantizerChoice
): Promise<void> => {
  const limit = quantizer.largestWeight?.(config) ?? largestFinite
  // NaN is not within any limit.
  if ((await magnitudeOf(weight)) <= limit) return
  throw faultOf(layer, weight, await bytesOf(weight), quantizer.id, limit)
}
