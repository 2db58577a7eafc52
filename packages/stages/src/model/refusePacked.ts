/** A run starts from full-precision weights: a model that was packed before is refused by name. */
import type { TensorStore } from "@speedq/formats"
import { isPackedContainer } from "@speedq/quantizers"

/** Raised for a packed model where a full-precision one is wanted. */
class PackedSource extends Error {}

export const refusePacked = (store: TensorStore): void => {
  if (!isPackedContainer(store)) return
  throw new PackedSource(
    "its weights are packed, an export of this software; give the full-precision model that it was made of (to ask or export the packed one, use speedq chat, evaluate or export)"
  )
}
