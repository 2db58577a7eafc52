/** What a block-wise stage remembers between its steps: blocks that are done, and the optimization of the one it is in. */
import type { BlockReport, BlockState } from "@speedq/adaround"
import { releasePacked } from "@speedq/exports"
import { layerOf, parameterOf } from "@speedq/formats"
import { Codec } from "@speedq/pipeline"
import type { PackedWeights } from "@speedq/quantizers"
import type { Parameters, Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Described, described, loadPacked } from "../artefacts/packedCodec.ts"
import { loadTensor, packedSources, tensorSource } from "../artefacts/tensorCodec.ts"
import type { Seen } from "../calibration/seen.ts"
import { loadSeen, seenData, seenTensors } from "../calibration/seenCodec.ts"
import { Compute } from "../compute/Compute.ts"
import { SampleTally } from "../data/SampleTally.ts"
import { allOrNone, owned } from "../model/stageMemory.ts"
import type { BlockMethod } from "./BlockMethod.ts"

/** What was measured of a finished block, and which weights it has. */
export interface FittedBlock extends BlockReport {
  /** Share of the roundings that were still open. */
  readonly undecided?: number
  /** The method's name, or "nearest". */
  readonly kept: string
}

export interface BlockProgress<L extends Parameters> {
  /** Weights of the blocks before, by layer. */
  readonly done: PackedWeights
  readonly reports: readonly FittedBlock[]
  /** Optimization of the current block; undefined before its first step. */
  readonly current: BlockState<L> | undefined
  /** What was seen of records, where samples are of such. */
  readonly seen?: Seen | undefined
}

export const FittedBlockData = Schema.Struct({
  block: Schema.String,
  errorBefore: Schema.Number,
  errorNearest: Schema.Number,
  errorFitted: Schema.Number,
  undecided: Schema.optionalKey(Schema.Number),
  kept: Schema.String
}).pipe(
  // As states were saved when AdaRound was the only method.
  Schema.encodeKeys({ errorFitted: "errorAdaround" })
)

const RandomData = Schema.Struct({
  words: Schema.Tuple([Schema.Number, Schema.Number, Schema.Number, Schema.Number]),
  spare: Schema.NullOr(Schema.Number)
})

const Data = Schema.Struct({
  done: Described,
  reports: Schema.Array(FittedBlockData),
  current: Schema.NullOr(
    Schema.Struct({ iteration: Schema.Int, layers: Schema.Array(Schema.String), random: RandomData })
  ),
  tally: Schema.optionalKey(SampleTally)
})

export const blockProgressCodec = <L extends Parameters>({ parts }: Pick<BlockMethod<L>, "parts">) =>
  Codec.make({
    data: Data,
    save: ({ done, reports, current, seen }: BlockProgress<L>) => ({
      data: {
        done: described(done),
        reports,
        current: current
          ? {
              iteration: current.iteration,
              layers: Object.keys(current.layers).map(parameterOf),
              random: current.random
            }
          : null,
        ...seenData(seen)
      },
      tensors: [
        ...packedSources(done),
        ...Object.entries(current?.layers ?? {}).flatMap(([layer, tensors]) =>
          parts(layer).map((part) => tensorSource(`${part}.${parameterOf(layer)}`, tensors[part]!))
        ),
        ...seenTensors(seen)
      ]
    }),
    load: ({ done, reports, current, tally }, file) =>
      Effect.gen(function* () {
        const { backend } = yield* Compute
        const seen = yield* loadSeen(tally, file)
        const weights = yield* owned(loadPacked(done, file), releasePacked)
        const layers: { [layer: string]: L } = {}
        for (const parameter of current?.layers ?? []) {
          const layer = layerOf(parameter)
          const tensors: [string, Tensor][] = []
          for (const part of parts(layer)) {
            const loaded = loadTensor(backend, file, `${part}.${parameter}`, "state")
            tensors.push([part, yield* owned(loaded, (tensor) => tensor.release())])
          }
          layers[layer] = Object.fromEntries(tensors) as L
        }
        const progress: BlockProgress<L> = {
          done: weights,
          reports,
          current: current ? { iteration: current.iteration, random: current.random, layers } : undefined,
          seen
        }
        return progress
      }).pipe(allOrNone)
  })
