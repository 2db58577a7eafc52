/** The stored tensors of a packed weight, one at a time, as the packed container has them. */
import type { PackedWeight, StoredTensor } from "@speedq/quantizers"
import * as Effect from "effect/Effect"

/** What a weight is stored as. */
export const storedParts = ({ choice, shape }: PackedWeight): readonly StoredTensor[] =>
  choice.quantizer.stored(choice.config, shape)

/** Bytes of the stored tensor of that name: codes below 8 bits as a bit stream. */
export const storedBytes = async (weight: PackedWeight, name: string): Promise<Uint8Array> => {
  const at = storedParts(weight).findIndex((part) => part.name === name)
  // Entries are in the order of the parts; the layer is a part of their names alone.
  return (await Effect.runPromise(weight.entries("")[at]!.data)) as Uint8Array
}
