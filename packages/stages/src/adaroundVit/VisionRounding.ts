/** What the stage remembers between its steps: blocks that are done, and the rounding of the one it is in. */
import type { BlockReport, LayerRounding, RoundingState } from "@speedq/adaround"
import { layerOf, parameterOf } from "@speedq/formats"
import { Codec } from "@speedq/pipeline"
import { describePacked, type PackedWeight, readPackedWeights } from "@speedq/quantizers"
import type { Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readingPacked } from "../artefacts/readingSaved.ts"
import { loadTensor, packedSources, tensorSource } from "../artefacts/tensorCodec.ts"
import { Compute } from "../compute/Compute.ts"
import { Extensions } from "../extensions/Extensions.ts"

/** What was measured of a finished block, and which rounding it has. */
export interface RoundedBlock extends BlockReport {
  readonly kept: "AdaRound" | "nearest"
}

export interface VisionRounding {
  /** Weights of the blocks before, by layer. */
  readonly done: ReadonlyMap<string, PackedWeight>
  readonly reports: readonly RoundedBlock[]
  /** Rounding of the current block; undefined before its first step. */
  readonly current: RoundingState | undefined
}

const BlockReportData = Schema.Struct({
  block: Schema.String,
  errorBefore: Schema.Number,
  errorNearest: Schema.Number,
  errorAdaround: Schema.Number,
  undecided: Schema.Number,
  kept: Schema.Literals(["AdaRound", "nearest"])
})

const RandomData = Schema.Struct({
  words: Schema.Tuple([Schema.Number, Schema.Number, Schema.Number, Schema.Number]),
  spare: Schema.NullOr(Schema.Number)
})

const Data = Schema.Struct({
  done: Schema.Record(Schema.String, Schema.JsonObject),
  reports: Schema.Array(BlockReportData),
  current: Schema.NullOr(
    Schema.Struct({ iteration: Schema.Int, layers: Schema.Array(Schema.String), random: RandomData })
  )
})

const parts = ["alpha", "m", "v"] as const

export const visionRoundingCodec = Codec.make({
  data: Data,
  save: ({ done, reports, current }: VisionRounding) => ({
    data: {
      done: describePacked(done) as (typeof Data.Type)["done"],
      reports,
      current: current
        ? { iteration: current.iteration, layers: Object.keys(current.layers).map(parameterOf), random: current.random }
        : null
    },
    tensors: [
      ...packedSources(done),
      ...Object.entries(current?.layers ?? {}).flatMap(([layer, rounding]) =>
        parts.map((part) => tensorSource(`${part}.${parameterOf(layer)}`, rounding[part]))
      )
    ]
  }),
  load: ({ done, reports, current }, file) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const known = (yield* Extensions).quantizers
      const weights = yield* readingPacked(file.path, () => readPackedWeights(backend, file.store, done, known))
      const layers: { [layer: string]: LayerRounding } = {}
      for (const parameter of current?.layers ?? []) {
        const tensors: Tensor[] = []
        for (const part of parts) tensors.push(yield* loadTensor(backend, file, `${part}.${parameter}`, "state"))
        const [alpha, m, v] = tensors as [Tensor, Tensor, Tensor]
        layers[layerOf(parameter)] = { alpha, m, v }
      }
      return {
        done: weights,
        reports,
        current: current ? { iteration: current.iteration, random: current.random, layers } : undefined
      } satisfies VisionRounding
    })
})
