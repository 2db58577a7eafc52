/** Numbers that a device brings while the host goes on. */
import type { Tensor } from "@speedq/tensors"
import type * as Effect from "effect/Effect"
import { type ComputeFailed, computing } from "./computing.ts"

/** Numbers that are being read already; wait for them at any time, or never. */
export const arriving = <A>(numbers: Promise<A>): Effect.Effect<A, ComputeFailed> => {
  // Where nobody comes to wait, a failure is no unhandled one.
  numbers.catch(() => {})
  return computing(() => numbers)
}

/** Whether reading a tensor takes a trip to a device, which would stand still if the host waited for it. */
export const arrivesLater = ({ backend }: Tensor): boolean => backend.hardware !== undefined
