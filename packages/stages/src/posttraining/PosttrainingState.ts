/** What a stage that quantizes block after block remembers: the layers that are done. */
import { releasePacked, releaseParameters } from "@speedq/exports"
import { Codec } from "@speedq/pipeline"
import type { PackedWeights } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Described, described, loadPacked } from "../artefacts/packedCodec.ts"
import { loadTensors, packedSources, tensorSources } from "../artefacts/tensorCodec.ts"
import type { Seen } from "../calibration/seen.ts"
import { loadSeen, seenData, seenTensors } from "../calibration/seenCodec.ts"
import { Compute } from "../compute/Compute.ts"
import { SampleTally } from "../data/SampleTally.ts"
import { allOrNone, owned } from "../model/stageMemory.ts"
import { Sensitivities } from "./modalityWeights.ts"

/** Mean squared error of a layer's output, its weight rounded to nearest and as the stage quantized it. */
const LayerRow = Schema.Struct({ layer: Schema.String, nearest: Schema.Number, quantized: Schema.Number })
export type LayerRow = typeof LayerRow.Type

export interface PosttrainingState {
  /** By layer. */
  readonly packed: PackedWeights
  /** Parameters that the stage changed, in full precision, by name. */
  readonly parameters: Parameters
  readonly rows: readonly LayerRow[]
  /** What was seen of the records, once they were looked at. */
  readonly seen: Seen | undefined
  /** How much tokens of pictures and of text count; undefined where all count alike. */
  readonly sensitivities?: Sensitivities | undefined
}

const Data = Schema.Struct({
  weights: Described,
  rows: Schema.Array(LayerRow),
  tally: Schema.optionalKey(SampleTally),
  sensitivities: Schema.optionalKey(Sensitivities)
})

export const posttrainingCodec = Codec.make({
  data: Data,
  save: ({ packed, parameters, rows, seen, sensitivities }: PosttrainingState) => ({
    data: {
      weights: described(packed),
      rows,
      ...seenData(seen),
      ...(sensitivities && { sensitivities })
    },
    tensors: [...packedSources(packed), ...tensorSources("parameter", parameters), ...seenTensors(seen)]
  }),
  load: ({ weights, rows, tally, sensitivities }, file) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const seen = yield* loadSeen(tally, file)
      const parameters = yield* owned(loadTensors(backend, file, "parameter", "state"), releaseParameters)
      const packed = yield* owned(loadPacked(weights, file), releasePacked)
      const state: PosttrainingState = { packed, parameters, rows, seen, sensitivities }
      return state
    }).pipe(allOrNone)
})
