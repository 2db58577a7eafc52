/** What a training stage remembers: the learner, what was measured before, and what was seen of the data. */
import { releaseParameters } from "@speedq/exports"
import { Codec } from "@speedq/pipeline"
import type { Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { loadTensors, tensorSources } from "../artefacts/tensorCodec.ts"
import { Compute } from "../compute/Compute.ts"
import { SampleTally } from "../data/SampleTally.ts"
import { loadUsed, usedTensor } from "../data/usedSamples.ts"
import { allOrNone, owned } from "../model/stageMemory.ts"
import type { Learner } from "./Learner.ts"

export interface TrainingState {
  readonly learner: Learner
  /** The factor [1] of the last step, whose numbers are not known yet: where it is negative, no step after it changes the learner. */
  readonly gate?: Tensor | undefined
  readonly measured: readonly number[]
  readonly tally: SampleTally
  /** Records that others took the places of while something was measured: steps meet the same again, and count them. */
  readonly passedOver: number
  /** The samples that measurements and steps have used. */
  readonly used: Uint8Array
}

export const trainingCodec = Codec.make({
  data: Schema.Struct({
    step: Schema.Int,
    measured: Schema.Array(Schema.Number),
    tally: SampleTally,
    passedOver: Schema.Int
  }),
  save: ({ learner: { parameters, optimizer }, measured, tally, passedOver, used }: TrainingState) => ({
    data: { step: optimizer.step, measured, tally, passedOver },
    tensors: [
      usedTensor(used),
      ...tensorSources("parameter", parameters),
      ...tensorSources("m", optimizer.m),
      ...tensorSources("v", optimizer.v)
    ]
  }),
  load: ({ step, measured, tally, passedOver }, file) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const load = (prefix: string) => owned(loadTensors(backend, file, prefix, "state"), releaseParameters)
      const [parameters, m, v] = [yield* load("parameter"), yield* load("m"), yield* load("v")]
      const used = yield* loadUsed(file)
      const learner = { parameters, optimizer: { step, m, v } }
      return { learner, measured, tally, passedOver, used } satisfies TrainingState
    }).pipe(allOrNone)
})
