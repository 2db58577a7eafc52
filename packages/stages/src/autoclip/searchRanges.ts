/** The ranges of a decoder layer's Linears, in order: searched here, or by other processes. */
import { releaseParameters } from "@speedq/exports"
import type { Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { computing } from "../compute/computing.ts"
import { type ClippedLayer, type ClippingSearch, searchLayer } from "./clipLayer.ts"
import { rangesElsewhere } from "./rangeUnits.ts"

/** Gives back the ranges of Linears. */
const releaseRanges = (layers: readonly ClippedLayer[]): void => {
  for (const { min, max } of layers) releaseParameters({ min, max })
}

/** `moments` are second moments of inputs by Linear. The caller releases what is found. */
export const searchRanges = Effect.fnUntraced(function* (
  search: ClippingSearch,
  directory: string,
  index: number,
  moments: ReadonlyMap<string, Tensor>
) {
  const elsewhere = yield* rangesElsewhere(search, { directory, index, moments })
  const layers: ClippedLayer[] = []
  yield* Effect.gen(function* () {
    for (const [layer, own] of moments) {
      // A run that is interrupted does not wait.
      const found = elsewhere && (yield* Effect.interruptible(elsewhere.foundOf(layer)))
      layers.push(found ?? (yield* computing(() => searchLayer(search, layer, own))))
    }
  }).pipe(
    Effect.onError(() => Effect.sync(() => releaseRanges(layers))),
    Effect.ensuring(elsewhere?.end ?? Effect.void)
  )
  return layers as readonly ClippedLayer[]
})
