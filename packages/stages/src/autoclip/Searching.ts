/** What the clipping search remembers: the calibration data before the next layer, and the ranges found so far. */
import { releaseParameters } from "@speedq/exports"
import { Codec } from "@speedq/pipeline"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { loadTensor, loadTensors, tensorSource, tensorSources } from "../artefacts/tensorCodec.ts"
import type { Seen } from "../calibration/seen.ts"
import { loadSeen, seenData, seenTensors } from "../calibration/seenCodec.ts"
import type { Sequences } from "../calibration/sequences.ts"
import { Compute } from "../compute/Compute.ts"
import { SampleTally } from "../data/SampleTally.ts"
import { allOrNone, owned } from "../model/stageMemory.ts"

const Row = Schema.Struct({ layer: Schema.String, before: Schema.Number, after: Schema.Number })

export interface Searching {
  /** Undefined before the first layer. */
  readonly sequences: Sequences | undefined
  readonly ranges: Parameters
  readonly rows: readonly (typeof Row.Type)[]
  /** What was seen of records, once they were looked at. */
  readonly seen: Seen | undefined
}

export const searchingCodec = Codec.make({
  data: Schema.Struct({
    rows: Schema.Array(Row),
    lengths: Schema.NullOr(Schema.Array(Schema.Int)),
    tally: Schema.optionalKey(SampleTally)
  }),
  save: ({ sequences, ranges, rows, seen }: Searching) => ({
    data: { rows, lengths: sequences?.lengths ?? null, ...seenData(seen) },
    tensors: [
      ...(sequences ? [tensorSource("hidden", sequences.hidden)] : []),
      ...tensorSources("range", ranges),
      ...seenTensors(seen)
    ]
  }),
  load: ({ rows, lengths, tally }, file) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const hidden = owned(loadTensor(backend, file, "hidden", "state"), (tensor) => tensor.release())
      const sequences = lengths === null ? undefined : { hidden: yield* hidden, lengths }
      const seen = yield* loadSeen(tally, file)
      const ranges = yield* owned(loadTensors(backend, file, "range", "state"), releaseParameters)
      return { sequences, ranges, rows, seen } satisfies Searching
    }).pipe(allOrNone)
})
