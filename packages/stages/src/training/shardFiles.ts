/** What processes that share the shards of a step hand to each other: parameters, and sums over micro-batches, in files. */
import { releaseParameters } from "@speedq/exports"
import { Codec, writeSaved } from "@speedq/pipeline"
import type { Backend, Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { loadSaved } from "../artefacts/savedValue.ts"
import { loadTensors, roundedSource, tensorSource, tensorSources } from "../artefacts/tensorCodec.ts"
import { MicroBatchFacts } from "../data/microBatchFacts.ts"
import { allOrNone, owned } from "../model/stageMemory.ts"
import type { Accumulated } from "./Learner.ts"
import type { HandedParameters } from "./shards.ts"
import { isRounded, type ParameterFormat } from "./stepParameters.ts"

/** Sums over the micro-batches of one shard. Whoever gets them releases them. */
export interface ShardSums {
  readonly sums: Accumulated
  readonly batches: readonly MicroBatchFacts[]
}

const parametersCodec = (backend: Backend, format: ParameterFormat) =>
  Codec.make({
    data: Schema.Struct({}),
    save: (parameters: Parameters) => ({
      data: {},
      tensors: tensorSources("parameter", parameters, (name, tensor) =>
        isRounded(name, format) ? roundedSource(name, tensor) : tensorSource(name, tensor)
      )
    }),
    load: (_, file) => loadTensors(backend, file, "parameter", "widened")
  })

const sumsCodec = (backend: Backend) =>
  Codec.make({
    // Names of the loss's parts, in the order in which they are told.
    data: Schema.Struct({ parts: Schema.Array(Schema.String), batches: Schema.Array(MicroBatchFacts) }),
    save: ({ sums: { gradients, loss, parts }, batches }: ShardSums) => ({
      data: { parts: Object.keys(parts), batches },
      tensors: [
        ...tensorSources("gradient", gradients),
        ...tensorSources("loss", { loss }),
        ...tensorSources("part", parts)
      ]
    }),
    load: ({ parts: names, batches }, file) =>
      Effect.gen(function* () {
        const load = (prefix: string) => owned(loadTensors(backend, file, prefix, "state"), releaseParameters)
        const [gradients, whole, parts] = [yield* load("gradient"), yield* load("loss"), yield* load("part")]
        const inOrder = Object.fromEntries(names.map((name) => [name, parts[name]!]))
        return { sums: { gradients, loss: whole.loss!, parts: inOrder }, batches } satisfies ShardSums
      }).pipe(allOrNone)
  })

const backendOf = (parameters: Parameters): Backend => Object.values(parameters)[0]!.backend

/** Parameters of a step, rounded as `format` says. */
export const saveParameters = (path: string, { parameters, format }: HandedParameters) =>
  writeSaved(path, parametersCodec(backendOf(parameters), format).save(parameters))

/** New tensors in f32, which are the caller's, whatever they travelled as. Whoever calls has looked at the file's bytes. */
export const loadParameters = (backend: Backend, path: string) => loadSaved(parametersCodec(backend, "f32"), path)

export const saveSums = (path: string, sums: ShardSums) =>
  writeSaved(path, sumsCodec(sums.sums.loss.backend).save(sums))

/** New tensors, which are the caller's, beside parameters of the same backend. Whoever calls has looked at the file's bytes. */
export const loadSums = (parameters: Parameters, path: string) => loadSaved(sumsCodec(backendOf(parameters)), path)
