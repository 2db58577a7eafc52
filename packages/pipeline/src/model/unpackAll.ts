/** All packed weights at once, in f32: for towers that every step runs. */
import type { PackedWeights } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"

/** Parameters by name, in the caller's scope. */
export const unpackAll = (weights: PackedWeights): Parameters =>
  Object.fromEntries([...weights].map(([name, weight]) => [name, weight.unpack()]))
