/** What was seen of records, among what a stage remembers: nothing before they were looked at. */
import type { Safetensors } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { SampleTally } from "../data/SampleTally.ts"
import { loadUsed, usedTensor } from "../data/usedSamples.ts"
import type { Seen } from "./seen.ts"

/** The part of the state's data. */
export const seenData = (seen: Seen | undefined): { readonly tally?: SampleTally } =>
  seen === undefined ? {} : { tally: seen.tally }

export const seenTensors = (seen: Seen | undefined): readonly Safetensors.TensorSource[] =>
  seen === undefined ? [] : [usedTensor(seen.used)]

export const loadSeen = Effect.fnUntraced(function* (tally: SampleTally | undefined, file: Safetensors.Safetensors) {
  if (tally === undefined) return undefined
  return { tally, used: yield* loadUsed(file) } satisfies Seen
})
